// What the room is told of whether the caller speaks: every packet says it, so nothing is later than the packet itself.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LEVEL_SILENT, LEVEL_SPEECH } from '../../../relay/domain/opus.ts';
import { emptyRtpView, readRtp } from '../../../relay/domain/rtp.ts';
import { openCall, RTP } from './session-rig.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A packet of SILK as a phone sends it at a constant rate: 20 ms at 16 kHz, padded to 50 bytes. */
function packet(sequence: number, isVoice: boolean): Uint8Array {
  const packet = new Uint8Array(12 + 50);
  packet.set(RTP.subarray(0, 12));
  packet.set([sequence >> 8, sequence & 0xff], 2);
  packet.set([0x4b, 0x41, 20, isVoice ? 0x9c : 0x1c], 12);
  return packet;
}

const levels = (packets: readonly Uint8Array[]): number[] =>
  packets.map((bytes) => {
    const view = emptyRtpView();
    return readRtp(bytes, 1, view) ? view.audioLevel : NaN;
  });

it('changes with the packet in which the caller begins or ends to speak, at a constant rate, too', async () => {
  const call = await openCall();
  call.room().onCallerHeard();
  vi.advanceTimersByTime(20);
  const before = call.toRoom.length;
  const voice = Array.from({ length: 300 }, (_, n) => n % 100 >= 50);
  for (const [n, isVoice] of voice.entries()) {
    call.leg().onPacket(packet(n, isVoice));
    vi.advanceTimersByTime(20);
  }
  const told = levels(
    call.toRoom.slice(before).filter(({ [1]: type, length }) => type !== 200 && length > 60),
  );
  expect(told).toEqual(voice.map((isVoice) => (isVoice ? LEVEL_SPEECH : LEVEL_SILENT)));
  call.session.close('closed');
});
