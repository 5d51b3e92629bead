import { expect, it } from 'vitest';
import { array, assert, constantFrom, oneof, property, string } from 'fast-check';
import { parseAnswer, SdpValidationError } from '../../local/simulator/answer.ts';

const FINGERPRINT = Array.from({ length: 32 }, () => 'a0').join(':');
const validLines = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE audio',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 126',
  'c=IN IP4 0.0.0.0',
  'a=candidate:1 1 udp 2122260223 192.0.2.20 40000 typ host',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:0123456789012345678901',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=setup:active',
  'a=mid:audio',
  'a=sendrecv',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  'a=rtpmap:126 telephone-event/8000',
  'a=ptime:20',
  'a=ssrc:7 cname:business',
];
const sdpOf = (lines: string[]) => lines.map((line) => `${line}\r\n`).join('');
const valid = sdpOf(validLines);
const without = (start: string) => sdpOf(validLines.filter((line) => !line.startsWith(start)));
const changed = (from: string, to: string) => valid.replace(from, to);
const added = (line: string) => `${valid}${line}\r\n`;

it('a complete answer passes without a warning', () => {
  expect(parseAnswer(valid)).toEqual({
    ufrag: 'abcd',
    password: '0123456789012345678901',
    fingerprint: FINGERPRINT,
    setup: 'active',
    ssrcs: [7],
    warnings: [],
  });
});

it.each<[name: string, sdp: string, code: number, details: RegExp]>([
  ['no fingerprint', without('a=fingerprint'), 100, /No fingerprint found/],
  ['several fingerprints', added(`a=fingerprint:sha-384 ${FINGERPRINT}`), 138008, /2 fingerprints/],
  ['another digest', changed('sha-256', 'sha-1'), 100, /must be sha-256/],
  ['ice-lite', added('a=ice-lite'), 100, /ice-lite/],
  ['actpass', changed('setup:active', 'setup:actpass'), 100, /not actpass/],
  ['no role', without('a=setup'), 100, /setup/],
  ['no ICE password', without('a=ice-pwd'), 100, /ice-pwd/],
  ['60 ms packets', changed('ptime:20', 'ptime:60'), 100, /ptime must be 20/],
  ['two sources', added('a=ssrc:8 cname:other'), 100, /more than one audio ssrc/],
  ['a codec that was not offered', changed('111 126', '111 0'), 100, /payload type 0/],
  ['no Opus', changed('111 126', '126'), 100, /opus is required/],
  ['48 kHz key presses', changed('event/8000', 'event/48000'), 100, /telephone-event\/8000/],
  ['another mid', changed('mid:audio', 'mid:0'), 100, /mid must be audio/],
  ['one-way audio', changed('sendrecv', 'sendonly'), 100, /sendrecv/],
  ['no rtcp-mux', without('a=rtcp-mux'), 100, /rtcp-mux/],
  ['two media lines', added('m=video 9 UDP/TLS/RTP/SAVPF 96'), 100, /one audio m-line/],
  ['bare line feeds', valid.replaceAll('\r\n', '\n'), 100, /CRLF/],
])('%s is refused by name', (_name, sdp, code, details) => {
  expect(() => parseAnswer(sdp)).toThrow(SdpValidationError);
  expect(() => parseAnswer(sdp)).toThrow(
    expect.objectContaining({ code, details: expect.stringMatching(details) }),
  );
});

it.each([
  ['no ptime', without('a=ptime'), 'no a=ptime:20'],
  ['no source line', without('a=ssrc'), 'no a=ssrc line'],
  ['no candidate', without('a=candidate'), 'no candidates'],
  [
    'the passive role',
    changed('setup:active', 'setup:passive'),
    'setup:passive, active is recommended',
  ],
])('%s is tolerated with a warning', (_name, sdp, warning) => {
  expect(parseAnswer(sdp).warnings).toEqual([warning]);
});

it('whatever the text, nothing but the named failure is thrown', () => {
  const lines = array(oneof(constantFrom(...validLines), string()), { maxLength: 25 });
  assert(
    property(lines, (some) => {
      try {
        parseAnswer(sdpOf(some));
      } catch (error) {
        expect(error).toBeInstanceOf(SdpValidationError);
      }
    }),
  );
});
