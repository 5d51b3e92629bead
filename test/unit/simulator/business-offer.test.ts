import { expect, it } from 'vitest';
import { parseOffer } from '../../local/simulator/business-offer.ts';
import { SdpValidationError } from '../../local/simulator/sdp-text.ts';

const FINGERPRINT = `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'A0').join(':')}`;
const LINES = [
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=audio 9 UDP/TLS/RTP/SAVPF 96 97',
  'c=IN IP4 0.0.0.0',
  'a=candidate:1 1 udp 2130706431 192.0.2.1 40000 typ host',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789abcdefghijkl',
  FINGERPRINT,
  'a=setup:actpass',
  'a=mid:0',
  'a=sendrecv',
  'a=rtcp-mux',
  'a=rtpmap:96 opus/48000/2',
  'a=rtpmap:97 telephone-event/8000',
  'a=ptime:20',
  'a=ssrc:1 cname:x',
];
const text = (lines: readonly string[]) => lines.map((line) => `${line}\r\n`).join('');
const replaced = (start: string, ...by: string[]) =>
  text(LINES.flatMap((line) => (line.startsWith(start) ? by : [line])));

it('reads what the media endpoint needs', () => {
  expect(parseOffer(text(LINES))).toMatchObject({
    ufrag: 'abcd',
    setup: 'actpass',
    mid: '0',
    opus: 96,
    events: 97,
    warnings: [],
  });
});

it.each<[name: string, sdp: string, reason: RegExp, code?: number]>([
  ['line feeds only', text(LINES).replaceAll('\r\n', '\n'), /CRLF/],
  ['no audio', replaced('m='), /exactly one audio/],
  ['a second section', replaced('s=', 's=-', 'm=audio 9 UDP/TLS/RTP/SAVPF 96'), /exactly one/],
  ['SDES', replaced('m=', 'm=audio 9 RTP/SAVP 96'), /profile/],
  ['no Opus', replaced('a=rtpmap:96', 'a=rtpmap:96 PCMU/8000'), /opus/],
  ['no candidates', replaced('a=candidate'), /no candidates/],
  ['ice-lite', replaced('t=', 't=0 0', 'a=ice-lite'), /ice-lite/],
  ['no fingerprint', replaced('a=fingerprint'), /No fingerprint found/],
  ['two fingerprints', replaced('a=fingerprint', FINGERPRINT, FINGERPRINT), /2 finger/, 138008],
  ['another digest', replaced('a=fingerprint', 'a=fingerprint:sha-1 00:11'), /sha-256/],
  ['only the passive role', replaced('a=setup', 'a=setup:passive'), /actpass or active/],
  ['no role', replaced('a=setup'), /absent/],
  ['two sources', replaced('a=ssrc', 'a=ssrc:1 cname:x', 'a=ssrc:2 cname:x'), /more than one/],
  ['another packet time', replaced('a=ptime', 'a=ptime:40'), /ptime must be 20/],
  ['no rtcp-mux', replaced('a=rtcp-mux'), /rtcp-mux/],
  ['one direction', replaced('a=sendrecv', 'a=recvonly'), /sendrecv/],
])('refuses %s', (_name, sdp, reason, code = 100) => {
  expect(() => parseOffer(sdp)).toThrow(reason);
  expect(() => parseOffer(sdp)).toThrow(SdpValidationError);
  try {
    parseOffer(sdp);
  } catch (error) {
    expect((error as SdpValidationError).code).toBe(code);
  }
});

it('warns of what Meta takes but cannot use', () => {
  const sdp = replaced('a=ptime', 'a=ice-options:trickle', 'a=rtpmap:0 PCMU/8000');
  expect(parseOffer(sdp).warnings).toEqual([
    'no a=ptime:20',
    expect.stringMatching(/trickle/),
    '1 other codecs offered',
  ]);
});

it('whatever is done to an offer, only the named error comes of it', () => {
  const valid = text(LINES);
  for (let seed = 1; seed <= 2000; seed++) {
    // A fixed sequence, so that a failure can be repeated.
    const place = (seed * 7919) % valid.length;
    const length = (seed * 31) % 40;
    const inserted = String.fromCodePoint(seed % 256).repeat(seed % 3);
    const broken = valid.slice(0, place) + inserted + valid.slice(place + length);
    try {
      parseOffer(broken);
    } catch (error) {
      expect(error).toBeInstanceOf(SdpValidationError);
    }
  }
});
