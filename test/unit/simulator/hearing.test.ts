import { expect, it } from 'vitest';
import { Hearing, shareOfTone, type ArrivedPacket } from '../../local/simulator/hearing.ts';
import { loopOf, type Signal } from '../../local/simulator/signals.ts';
import { OpusEncoder } from '../../local/simulator/opus.ts';

const START_MS = 1_000_000;

/** `seconds` of a signal as packets that arrive every 20 ms. */
function stream(signal: Signal, seconds: number): { packet: ArrivedPacket; atMs: number }[] {
  const loop = loopOf(signal);
  return Array.from({ length: seconds * 50 }, (_, index) => ({
    packet: {
      payloadType: 111,
      sequence: (65_500 + index) & 0xffff,
      timestamp: (4_294_900_000 + index * 960) >>> 0,
      ssrc: 5,
      payload: loop[index % loop.length] as Buffer,
    },
    atMs: START_MS + index * 20,
  }));
}

function hear(packets: { packet: ArrivedPacket; atMs: number }[]) {
  const hearing = new Hearing();
  hearing.markAccepted();
  for (const { packet, atMs } of packets) hearing.hearRtp(packet, atMs);
  const report = hearing.report();
  hearing.close();
  return report;
}

it('a steady stream across both wrap-arounds has no fault', () => {
  const report = hear(stream({ kind: 'tone', hz: 1000 }, 2));
  expect(report).toMatchObject({
    packets: 100,
    lost: 0,
    outOfOrder: 0,
    duplicates: 0,
    ptimeViolations: 0,
    packetsBeforeAccept: 0,
    timestampJumps: [],
    arrivalGaps: [],
    ssrcs: [5],
    payloadTypes: [111],
  });
});

it.each([300, 440, 1000, 2500, 6000])('a tone of %i Hz is told from its neighbours', (hz) => {
  const report = hear(stream({ kind: 'tone', hz }, 2));
  expect(shareOfTone(report, hz, START_MS + 200, START_MS + 1800)).toBeGreaterThan(0.95);
  expect(shareOfTone(report, hz + 60, START_MS + 200, START_MS + 1800)).toBe(0);
});

it('two tones at once are both heard', () => {
  const report = hear(stream({ kind: 'tones', hz: [500, 1300] }, 2));
  expect(shareOfTone(report, 500, START_MS + 200, START_MS + 1800)).toBeGreaterThan(0.9);
  expect(shareOfTone(report, 1300, START_MS + 200, START_MS + 1800)).toBeGreaterThan(0.9);
});

it('silence is neither audible nor a tone', () => {
  const report = hear(stream({ kind: 'silence' }, 1));
  expect(report).toMatchObject({ packets: 50, firstAudioAtMs: null, audible: [], tones: [] });
});

it('first audio is the first frame that is louder than silence', () => {
  const quiet = stream({ kind: 'silence' }, 1);
  const loud = stream({ kind: 'tone', hz: 700 }, 2).slice(50);
  const report = hear([...quiet, ...loud]);
  const latenessMs = (report.firstAudioAtMs ?? 0) - (START_MS + 1000);
  expect(latenessMs).toBeGreaterThanOrEqual(0);
  expect(latenessMs).toBeLessThanOrEqual(20);
});

it('loss, late, repeated and early packets are counted apart', () => {
  const packets = stream({ kind: 'silence' }, 1);
  const swapped = [...packets];
  [swapped[10], swapped[11]] = [packets[11]!, packets[10]!];
  swapped.splice(20, 2);
  swapped.push(packets[40]!);
  expect(hear(swapped)).toMatchObject({ lost: 2, outOfOrder: 1, duplicates: 1 });
});

it('a pause on the wire is a gap, a jump of the timestamp another matter', () => {
  const packets = stream({ kind: 'silence' }, 1);
  const late = packets.map(({ packet, atMs }, index) =>
    index < 25 ? { packet, atMs } : { packet, atMs: atMs + 100 },
  );
  expect(hear(late)).toMatchObject({ arrivalGaps: [{ gapMs: 120 }], timestampJumps: [] });
  const jumped = packets.map(({ packet, atMs }, index) => ({
    packet: index < 25 ? packet : { ...packet, timestamp: (packet.timestamp + 4800) >>> 0 },
    atMs,
  }));
  expect(hear(jumped)).toMatchObject({ arrivalGaps: [], timestampJumps: [{ ticks: 5760 }] });
});

it('packets of another length break the 20 ms rule', () => {
  const encoder = new OpusEncoder();
  const payload = encoder.encode(new Int16Array(480));
  encoder.close();
  const packets = stream({ kind: 'silence' }, 1);
  packets[10] = { ...packets[10]!, packet: { ...packets[10]!.packet, payload } };
  expect(hear(packets).ptimeViolations).toBe(1);
});

it('what comes before the accept is early media', () => {
  const hearing = new Hearing();
  const packets = stream({ kind: 'silence' }, 1);
  for (const { packet, atMs } of packets.slice(0, 3)) hearing.hearRtp(packet, atMs);
  hearing.hearRtcp(Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 5]), START_MS);
  hearing.markAccepted();
  for (const { packet, atMs } of packets.slice(3)) hearing.hearRtp(packet, atMs);
  expect(hearing.report()).toMatchObject({
    packetsBeforeAccept: 3,
    rtcpBeforeAccept: 1,
    rtcpTypes: { 201: 1 },
  });
  hearing.close();
});

/** A stream in which a key is down from the tenth frame on, for five; `shift` RTP ticks are missing after it. */
function streamWithKey(shift = 0): { packet: ArrivedPacket; atMs: number }[] {
  const frames = stream({ kind: 'silence' }, 1).slice(0, 30);
  const key = frames.slice(10, 15).flatMap(({ packet, atMs }, index) => {
    const payload = Buffer.from([7, index === 4 ? 0x8a : 0x0a, 0, 0]);
    payload.writeUInt16BE((index + 1) * 160, 2);
    const timestamp = frames[10]?.packet.timestamp ?? 0;
    const one = { packet: { ...packet, payloadType: 126, timestamp, payload }, atMs };
    return index === 4 ? [one, one, one] : [one];
  });
  const after = frames.slice(15).map(({ packet, atMs }) => ({
    packet: { ...packet, timestamp: packet.timestamp - shift },
    atMs,
  }));
  return [...frames.slice(0, 10), ...key, ...after].map(({ packet, atMs }, index) => ({
    packet: { ...packet, sequence: index },
    atMs,
  }));
}

it('a key is heard once, with how long it was down', () => {
  const report = hear(streamWithKey());
  expect(report.dtmf).toEqual([
    { digit: '7', atMs: START_MS + 200, durationMs: 100, packets: 7, ends: 3 },
  ]);
  expect(report).toMatchObject({ lost: 0, timestampJumps: [] });
});

it('audio after a key goes on where the key has ended', () => {
  expect(hear(streamWithKey(960)).timestampJumps).toEqual([{ atMs: START_MS + 300, ticks: 0 }]);
});
