import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  describeFailure,
  parseAnswer,
  parseOffer,
  type Offer,
} from '../../../../relay/domain/sdp.ts';
import {
  readLocalTransport,
  writeAnswer,
  writeAnswerForLibrary,
  writeOffer,
  writeOfferForLibrary,
  type OwnParts,
} from '../../../../relay/domain/sdp-write.ts';
import { noise } from '../../../support/noise.ts';
import { documentedAnswer, documentedOffer, joined, wireAnswer, wireOffer } from './offers.ts';

const parsed = (lines: readonly string[]): Offer => {
  const result = parseOffer(joined(lines));
  if (!result.ok) throw new Error(describeFailure(result));
  return result.offer;
};

const parts = (change: Partial<OwnParts> = {}): OwnParts => ({
  iceUfrag: 'uFrG',
  icePwd: 'aaaaaaaaaaaaaaaaaaaaaa',
  fingerprint: Array(32).fill('ab').join(':'),
  candidates: [{ address: '203.0.113.5', port: 40_007 }],
  ssrc: 1234,
  cname: 'name',
  streamId: 'stream',
  trackId: 'track',
  sessionId: '77',
  ...change,
});

describe('reading an offer', () => {
  it('takes the shape on the wire', () => {
    const offer = parsed(wireOffer());
    expect(offer).toMatchObject({
      mid: 'audio',
      opusPayloadType: 111,
      dtmfPayloadType: 126,
      iceUfrag: 'aBcDeFgH12345678',
      icePwd: 'AbCdEfGhIjKlMnOpQrSt+w==',
      isIceLite: true,
      setup: 'actpass',
      ssrc: 3_061_273_283,
    });
    expect(offer.opusParameters.get('maxaveragebitrate')).toBe('20000');
    expect(offer.candidates).toMatchObject([
      { address: '192.0.2.10', port: 3480, isIpv6: false },
      { address: '2001:db8::10', port: 3480, isIpv6: true },
    ]);
  });

  it('takes the documented sample, bare line feeds and a session-level fingerprint', () => {
    expect(parsed(documentedOffer())).toMatchObject({ iceUfrag: '6O0H/2', ssrc: 1_350_742_474 });
    const moved = wireOffer();
    const [print = ''] = moved.splice(14, 1);
    moved.splice(7, 0, print);
    expect(parseOffer(joined(moved, '\n'))).toMatchObject({ ok: true });
  });

  it('follows other payload type numbers and mids', () => {
    const lines = joined(wireOffer())
      .replaceAll('111', '107')
      .replaceAll('126', '101')
      .replaceAll('audio\r\na=send', '0\r\na=send');
    expect(parseOffer(lines)).toMatchObject({
      ok: true,
      offer: { mid: '0', opusPayloadType: 107, dtmfPayloadType: 101 },
    });
  });

  const without = (prefix: string) => wireOffer().filter((line) => !line.startsWith(prefix));
  const changed = (from: string | RegExp, to: string) =>
    wireOffer().map((line) => line.replace(from, to));
  it.each<[name: string, lines: string[], line: number, message: RegExp]>([
    ['nothing at all', [], 0, /empty/],
    ['no version', without('v='), 1, /v=0/],
    ['text', ['hello', ...wireOffer()], 1, /type=value/],
    ['no audio section', changed('m=audio', 'm=video'), 8, /no audio section/],
    ['two sections', [...wireOffer(), 'm=video 9 UDP/TLS/RTP/SAVPF 96'], 28, /more than one/],
    ['a rejected section', changed('m=audio 3480', 'm=audio 0'), 8, /rejected/],
    ['plain RTP', changed('UDP/TLS/RTP/SAVPF', 'RTP/AVP'), 8, /not DTLS-SRTP/],
    [
      'SDES',
      [...changed('UDP/TLS/RTP/SAVPF', 'RTP/SAVP'), 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x'],
      28,
      /SDES/,
    ],
    ['SDES without keys', changed('UDP/TLS/RTP/SAVPF', 'RTP/SAVP'), 8, /not DTLS-SRTP/],
    ['no opus', without('a=rtpmap:111'), 8, /no opus/],
    ['narrow opus', changed('opus/48000/2', 'opus/16000/1'), 21, /48000\/2/],
    ['unlisted opus', changed('SAVPF 111 126', 'SAVPF 126'), 21, /not listed/],
    ['no fingerprint', without('a=fingerprint'), 8, /no fingerprint/],
    ['only sha-1', changed('sha-256', 'sha-1'), 15, /no sha-256/],
    ['a cut fingerprint', changed(/(sha-256 .{20}).*/, '$1'), 15, /malformed/],
    ['no ufrag', without('a=ice-ufrag'), 8, /no ice-ufrag/],
    ['no pwd', without('a=ice-pwd'), 8, /no ice-pwd/],
    ['a short pwd', changed(/ice-pwd:.*/, 'ice-pwd:short'), 14, /ice-pwd is malformed/],
    ['no candidates', without('a=candidate'), 8, /no candidate/],
    ['only TCP candidates', changed(' udp ', ' tcp '), 11, /no UDP candidate/],
    ['a broken candidate', changed(' typ host', ''), 11, /candidate is malformed/],
    ['no mid', without('a=mid'), 8, /no mid/],
    ['no setup', without('a=setup'), 8, /no setup/],
    ['setup active', changed('actpass', 'active'), 16, /no active role/],
    ['receive only', changed('sendrecv', 'recvonly'), 18, /recvonly/],
    ['no rtcp-mux', without('a=rtcp-mux'), 8, /rtcp-mux/],
  ])('names the line of an offer with %s', (_name, lines, line, message) => {
    const result = parseOffer(joined(lines));
    expect(result).toMatchObject({ ok: false, line });
    if (!result.ok) expect(describeFailure(result)).toMatch(message);
  });

  it('never throws and never says what a line contains', () => {
    fc.assert(
      fc.property(mutated(wireOffer, documentedOffer), (sdp) => {
        const result = parseOffer(sdp);
        if (result.ok)
          expect(parseOffer(withCandidates(writeOfferForLibrary, result.offer))).toMatchObject({
            ok: true,
          });
        else expect(describeFailure(result)).not.toContain('AbCdEfGh');
      }),
      { numRuns: 600 },
    );
  });
});

describe('reading an answer', () => {
  it.each([
    ['passive', 'passive'],
    ['active', 'active'],
    // We may choose, and take the client's role.
    ['actpass', 'passive'],
  ])('takes the role %s as %s', (setup, role) => {
    expect(parseAnswer(joined(wireAnswer(setup)))).toMatchObject({
      ok: true,
      answer: { setup: role, isIceLite: true, icePwd: 'AbCdEfGhIjKlMnOpQrSt+w==' },
    });
  });

  it('takes the documented sample with codecs that were not offered', () => {
    expect(parseAnswer(joined(documentedAnswer()))).toMatchObject({
      ok: true,
      answer: { setup: 'active', opusPayloadType: 111, dtmfPayloadType: 126 },
    });
  });

  it('takes other payload type numbers and another mid or none', () => {
    const renumbered = joined(wireAnswer()).replaceAll('111', '107').replaceAll('126', '101');
    expect(parseAnswer(renumbered)).toMatchObject({
      ok: true,
      answer: { opusPayloadType: 107, dtmfPayloadType: 101 },
    });
    for (const mid of ['a=mid:audio\r\n', '']) {
      expect(parseAnswer(renumbered.replace('a=mid:0\r\n', mid))).toMatchObject({ ok: true });
    }
  });

  const without = (prefix: string) => wireAnswer().filter((line) => !line.startsWith(prefix));
  const changed = (from: string | RegExp, to: string) =>
    wireAnswer().map((line) => line.replace(from, to));
  it.each<[name: string, lines: string[], line: number, message: RegExp]>([
    ['nothing at all', [], 0, /empty/],
    ['text', ['hello', ...wireAnswer()], 1, /type=value/],
    ['no audio section', wireAnswer().slice(0, 7), 0, /no audio section/],
    ['two sections', [...wireAnswer(), 'm=video 9 UDP/TLS/RTP/SAVPF 96'], 28, /more than one/],
    ['a rejected section', changed('m=audio 3480', 'm=audio 0'), 8, /rejected/],
    [
      'SDES',
      [...changed('UDP/TLS/RTP/SAVPF', 'RTP/SAVP'), 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x'],
      28,
      /SDES/,
    ],
    ['no opus', without('a=rtpmap:111'), 8, /no opus/],
    ['unlisted opus', changed('SAVPF 111 126', 'SAVPF 126'), 21, /not listed/],
    ['no fingerprint', without('a=fingerprint'), 8, /no fingerprint/],
    ['only sha-1', changed('sha-256', 'sha-1'), 15, /no sha-256/],
    ['a cut fingerprint', changed(/(sha-256 .{20}).*/, '$1'), 15, /malformed/],
    ['no ufrag', without('a=ice-ufrag'), 8, /no ice-ufrag/],
    ['a short pwd', changed(/ice-pwd:.*/, 'ice-pwd:short'), 14, /ice-pwd is malformed/],
    ['no candidates', without('a=candidate'), 8, /no candidate/],
    ['a broken candidate', changed(' typ host', ''), 11, /candidate is malformed/],
    ['no setup', without('a=setup'), 8, /no setup/],
    ['setup holdconn', wireAnswer('holdconn'), 16, /none of active, passive, actpass/],
    ['send only', changed('sendrecv', 'sendonly'), 18, /sendonly/],
    ['no rtcp-mux', without('a=rtcp-mux'), 8, /rtcp-mux/],
  ])('names the line of an answer with %s', (_name, lines, line, message) => {
    const result = parseAnswer(joined(lines));
    expect(result).toMatchObject({ ok: false, line });
    if (!result.ok) expect(describeFailure(result)).toMatch(message);
  });

  it('never throws and never says what a line contains', () => {
    fc.assert(
      fc.property(mutated(wireAnswer, documentedAnswer), (sdp) => {
        const result = parseAnswer(sdp);
        if (result.ok) {
          expect(parseAnswer(withCandidates(writeAnswerForLibrary, result.answer))).toEqual({
            ok: true,
            answer: { ...result.answer, ...NOT_FOR_THE_LIBRARY, opusPayloadType: 111 },
          });
        } else expect(describeFailure(result)).not.toContain('AbCdEfGh');
      }),
      { numRuns: 600 },
    );
  });
});

/**
 * A megabyte each, a hundred times what a frame carries: whoever needs a step for every pair of characters, or more, does not
 * come to an end within the time of a test.
 */
const HUGE = 1_000_000;

describe.each([
  ['offer', parseOffer, wireOffer],
  ['answer', parseAnswer, wireAnswer],
])('an %s of any size', (_name, parse, make) => {
  /** The text with this written over the value of the first line that begins so. */
  const stretched = (start: string, value: string): string =>
    joined(make().map((line) => (line.startsWith(start) ? start + value : line)));

  it.each<[what: string, sdp: string]>([
    ['one line', 'v=0\r\n' + 'a'.repeat(HUGE)],
    ['empty lines', '\n'.repeat(HUGE)],
    [
      'many lines',
      make()
        .join('\n')
        .replace('t=0 0', 'a=b\n'.repeat(HUGE / 4)),
    ],
    ['digits', stretched('a=rtpmap:111 ', '1'.repeat(HUGE))],
    ['spaces', stretched('m=audio ', ' '.repeat(HUGE))],
    ['payload types', stretched('m=audio ', `9 UDP/TLS/RTP/SAVPF${' 111'.repeat(HUGE / 4)}`)],
    ['a clock rate', stretched('a=rtpmap:111 ', `opus/48000/${'2'.repeat(HUGE)}x`)],
    ['parameters', stretched('a=fmtp:111 ', 'a=1;'.repeat(HUGE / 4))],
    ['separators', stretched('a=fmtp:111 ', ';='.repeat(HUGE / 2))],
    ['a fingerprint', stretched('a=fingerprint:sha-256 ', 'AB:'.repeat(HUGE / 3))],
    ['a user fragment', stretched('a=ice-ufrag:', 'a'.repeat(HUGE))],
    ['candidate words', stretched('a=candidate:', '1 '.repeat(HUGE / 2))],
    ['a candidate type', stretched('a=candidate:', `1 1 udp 1 1.2.3.4 9 typ ${'h'.repeat(HUGE)}!`)],
    [
      'a candidate address',
      stretched('a=candidate:', `1 1 udp 1 ${'1.'.repeat(HUGE / 2)} 9 typ host`),
    ],
  ])('is read to its end: %s', (_what, sdp) => {
    const result = parse(sdp);
    if (!result.ok) expect(describeFailure(result).length).toBeLessThan(200);
  });

  it('is read whatever characters it is made of', () => {
    fc.assert(
      fc.property(noise(2_000), (text) => {
        expect(parse(text)).toMatchObject({ ok: false });
        const result = parse(joined(make()) + text);
        if (!result.ok) expect(result.message).not.toBe('');
      }),
      { numRuns: 300 },
    );
  });
});

/** What the library is not told. */
const NOT_FOR_THE_LIBRARY = { dtmfPayloadType: undefined, opusParameters: new Map() };

/** One of the texts with up to six accidents. */
const mutated = (...makes: (() => string[])[]): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.constantFrom(...makes),
      fc.array(
        fc.record({
          line: fc.nat(30),
          kind: fc.constantFrom('drop', 'repeat', 'cut', 'noise', 'swap'),
          at: fc.nat(60),
          noise: noise(8),
        }),
        { maxLength: 6 },
      ),
    )
    .map(([make, edits]) => {
      const lines = make();
      for (const { line, kind, at, noise } of edits) {
        const index = line % Math.max(1, lines.length);
        const text = lines[index] ?? '';
        if (kind === 'drop') lines.splice(index, 1);
        if (kind === 'repeat') lines.splice(index, 0, text);
        if (kind === 'cut') lines[index] = text.slice(0, at);
        if (kind === 'noise') lines[index] = text.slice(0, at) + noise + text.slice(at);
        if (kind === 'swap') lines.push(...lines.splice(index, 1));
      }
      return joined(lines);
    });

const withCandidates = <Remote extends Pick<Offer, 'candidates'>>(
  write: (remote: Remote) => string,
  remote: Remote,
): string => write(remote) + joined(remote.candidates.map(({ attribute }) => `a=${attribute}`));

describe('writing', () => {
  it.each([wireOffer, documentedOffer])(
    'loses nothing of an offer that the library needs',
    (make) => {
      const offer = parsed(make());
      const again = parseOffer(withCandidates(writeOfferForLibrary, offer));
      expect(again).toEqual({
        ok: true,
        offer: { ...offer, ...NOT_FOR_THE_LIBRARY },
      });
    },
  );

  it('answers with exactly what the provider asks for', () => {
    expect(writeAnswer(parsed(wireOffer()), parts()).split('\r\n')).toEqual([
      'v=0',
      'o=- 77 1 IN IP4 203.0.113.5',
      's=-',
      't=0 0',
      'a=group:BUNDLE audio',
      'a=msid-semantic: WMS stream',
      'm=audio 40007 UDP/TLS/RTP/SAVPF 111 126',
      'c=IN IP4 203.0.113.5',
      'a=candidate:1 1 udp 2130706431 203.0.113.5 40007 typ host',
      'a=ice-ufrag:uFrG',
      'a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa',
      `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
      'a=setup:active',
      'a=mid:audio',
      'a=sendrecv',
      'a=msid:stream track',
      'a=rtcp-mux',
      'a=rtpmap:111 opus/48000/2',
      'a=fmtp:111 maxaveragebitrate=20000;minptime=20;useinbandfec=1',
      'a=rtpmap:126 telephone-event/8000',
      'a=maxptime:20',
      'a=ptime:20',
      'a=ssrc:1234 cname:name',
      'a=ssrc:1234 msid:stream track',
      '',
    ]);
  });

  it('offers with exactly what the provider asks for', () => {
    const candidates = [
      { address: '198.51.100.7', port: 40_007 },
      { address: '10.0.0.5', port: 40_007 },
    ];
    expect(writeOffer(parts({ candidates })).split('\r\n')).toEqual([
      'v=0',
      'o=- 77 1 IN IP4 198.51.100.7',
      's=-',
      't=0 0',
      'a=group:BUNDLE 0',
      'a=msid-semantic: WMS stream',
      'm=audio 40007 UDP/TLS/RTP/SAVPF 111 126',
      'c=IN IP4 198.51.100.7',
      'a=candidate:1 1 udp 2130706431 198.51.100.7 40007 typ host',
      'a=candidate:2 1 udp 2130706175 10.0.0.5 40007 typ host',
      'a=ice-ufrag:uFrG',
      'a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa',
      `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
      'a=setup:actpass',
      'a=mid:0',
      'a=sendrecv',
      'a=msid:stream track',
      'a=rtcp-mux',
      'a=rtpmap:111 opus/48000/2',
      'a=fmtp:111 minptime=10;useinbandfec=1',
      'a=rtpmap:126 telephone-event/8000',
      'a=maxptime:20',
      'a=ptime:20',
      'a=ssrc:1234 cname:name',
      'a=ssrc:1234 msid:stream track',
      '',
    ]);
  });

  it('offers no key presses back when none were offered', () => {
    const lines = wireOffer().map((line) => line.replace(' 111 126', ' 111'));
    expect(writeAnswer(parsed(lines), parts())).not.toContain('telephone-event');
  });

  it('ranks candidates in the order given and writes IPv6', () => {
    const candidates = [
      { address: '2001:db8::5', port: 40_001 },
      { address: '10.0.0.5', port: 40_001 },
    ];
    const answer = writeAnswer(parsed(wireOffer()), parts({ candidates }));
    expect(answer).toContain('c=IN IP6 2001:db8::5\r\n');
    expect(answer).toContain('a=candidate:1 1 udp 2130706431 2001:db8::5 40001 typ host\r\n');
    expect(answer).toContain('a=candidate:2 1 udp 2130706175 10.0.0.5 40001 typ host\r\n');
  });

  it('reads its own transport back, and nothing that is not there', () => {
    const answer = writeAnswer(parsed(wireOffer()), parts());
    expect(readLocalTransport(answer)).toMatchObject({
      iceUfrag: 'uFrG',
      candidates: [{ address: '203.0.113.5', port: 40_007 }],
    });
    expect(() => readLocalTransport('v=0\r\n')).toThrow('incomplete');
  });
});
