import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyRtpView, readRtp, writeRtpHeader } from '../../../../relay/domain/rtp.ts';

const packetOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

describe('reading RTP', () => {
  it('reads a plain packet', () => {
    const view = emptyRtpView();
    expect(readRtp(packetOf('80 ef 1234 89abcdef fedcba98 f8fffe'), 1, view)).toBe(true);
    expect(view).toEqual({
      payloadType: 111,
      marker: true,
      sequence: 0x1234,
      timestamp: 0x89abcdef,
      ssrc: 0xfedcba98,
      payloadStart: 12,
      payloadEnd: 15,
      audioLevel: -1,
    });
  });

  it('steps over contributing sources and padding', () => {
    const view = emptyRtpView();
    const bytes = packetOf('a1 6f 0001 00000002 00000003 00000004 f8fffe 000003');
    expect(readRtp(bytes, 0, view)).toBe(true);
    expect([view.payloadStart, view.payloadEnd]).toEqual([16, 19]);
  });

  it('finds the audio level between other extensions, and not under another id', () => {
    const bytes = packetOf('90 6f 0001 00000002 00000003 bede0002 22aabbcc 10 95 0000 f8');
    const view = emptyRtpView();
    expect(readRtp(bytes, 1, view)).toBe(true);
    expect(view.audioLevel).toBe(0x15);
    expect(view.payloadStart).toBe(24);
    readRtp(bytes, 3, view);
    expect(view.audioLevel).toBe(-1);
  });

  it('refuses what is no packet', () => {
    const view = emptyRtpView();
    for (const hex of [
      '',
      '80',
      '00ef12340000000000000000f8',
      '90ef12340000000000000000bede0009',
    ]) {
      expect(readRtp(packetOf(hex), 1, view)).toBe(false);
    }
    expect(readRtp(packetOf('a0ef12340000000000000000 ff'), 1, view)).toBe(false);
  });

  it('never throws nor points outside the packet, whatever arrives', () => {
    const view = emptyRtpView();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(14), (bytes, id) => {
        if (!readRtp(bytes, id, view)) return;
        expect(view.payloadStart).toBeGreaterThanOrEqual(12);
        expect(view.payloadEnd).toBeLessThanOrEqual(bytes.length);
        expect(view.payloadEnd).toBeGreaterThanOrEqual(view.payloadStart);
      }),
    );
  });

  it('reads back every header it writes', () => {
    const view = emptyRtpView();
    fc.assert(
      fc.property(
        fc.record({
          payloadType: fc.nat(63),
          marker: fc.boolean(),
          sequence: fc.nat(0xffff),
          timestamp: fc.nat(0xffff_ffff),
          ssrc: fc.nat(0xffff_ffff),
          id: fc.nat(14),
          level: fc.nat(127),
        }),
        ({ payloadType, marker, sequence, timestamp, ssrc, id, level }) => {
          const bytes = new Uint8Array(40);
          const length = writeRtpHeader(
            bytes,
            payloadType,
            marker,
            sequence,
            timestamp,
            ssrc,
            id,
            level,
          );
          expect(readRtp(bytes, id, view)).toBe(true);
          expect(view).toEqual({
            payloadType,
            marker,
            sequence,
            timestamp,
            ssrc,
            payloadStart: length,
            payloadEnd: 40,
            audioLevel: id === 0 ? -1 : level,
          });
        },
      ),
    );
  });
});
