import { expect, it } from 'vitest';
import { writeDocumentedOffer, writeOffer, type OfferParts } from '../../local/simulator/offer.ts';

const HEX_PAIRS = Array.from({ length: 32 }, () => 'A0').join(':');
const parts: OfferParts = {
  host: '192.0.2.10',
  port: 3480,
  ufrag: 'abcdefghABCDEFGH',
  password: 'MDEyMzQ1Njc4OWFiY2RlZg==',
  fingerprint: HEX_PAIRS,
  ssrc: 4_000_000_000,
  nowMs: 1_790_000_000_000,
};
const UUID = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

/** The attribute list of the public captures, in their order. */
const WIRE_LINES = [
  /^v=0$/,
  /^o=- \d{13} 2 IN IP4 127\.0\.0\.1$/,
  /^s=-$/,
  /^t=0 0$/,
  /^a=group:BUNDLE audio$/,
  new RegExp(`^a=msid-semantic: WMS ${UUID}$`),
  /^a=ice-lite$/,
  /^m=audio 3480 UDP\/TLS\/RTP\/SAVPF 111 126$/,
  /^c=IN IP4 192\.0\.2\.10$/,
  /^a=rtcp:9 IN IP4 0\.0\.0\.0$/,
  /^a=candidate:\d+ 1 udp 2122260223 192\.0\.2\.10 3480 typ host generation 0 network-cost 50$/,
  /^a=candidate:\d+ 1 udp 2122262783 2001:db8::10 3480 typ host generation 0 network-cost 50$/,
  /^a=ice-ufrag:[A-Za-z0-9]{16}$/,
  /^a=ice-pwd:[A-Za-z0-9+/]{22}==$/,
  /^a=fingerprint:sha-256 (?:[0-9A-F]{2}:){31}[0-9A-F]{2}$/,
  /^a=setup:actpass$/,
  /^a=mid:audio$/,
  /^a=sendrecv$/,
  new RegExp(`^a=msid:${UUID} WhatsAppTrack1$`),
  /^a=rtcp-mux$/,
  /^a=rtpmap:111 opus\/48000\/2$/,
  /^a=rtcp-fb:111 transport-cc$/,
  /^a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;sprop-maxcapturerate=16000;useinbandfec=1$/,
  /^a=rtpmap:126 telephone-event\/8000$/,
  /^a=maxptime:20$/,
  /^a=ptime:20$/,
  /^a=ssrc:4000000000 cname:WhatsAppAudioStream1$/,
];

const linesOf = (sdp: string) => sdp.split('\r\n').slice(0, -1);

it('the offer has exactly the captured attributes in their order', () => {
  const lines = linesOf(writeOffer({ ...parts, ipv6: '2001:db8::10' }));
  expect(lines).toHaveLength(WIRE_LINES.length);
  for (const [index, line] of lines.entries()) expect(line).toMatch(WIRE_LINES[index] as RegExp);
});

it('without an IPv6 address only its candidate is missing', () => {
  const lines = linesOf(writeOffer(parts));
  const expected = WIRE_LINES.filter((line) => !line.source.includes('2001:db8'));
  expect(lines).toHaveLength(expected.length);
  for (const [index, line] of lines.entries()) expect(line).toMatch(expected[index] as RegExp);
});

it('the stream of the offer is the same in both msid lines', () => {
  const offer = writeOffer(parts);
  const semantic = /^a=msid-semantic: WMS (\S+)\r$/m.exec(offer)?.[1];
  expect(offer).toContain(`a=msid:${semantic} WhatsAppTrack1`);
});

it('the documented shape has extensions, ufrag in candidates, four ssrc lines and no ptime', () => {
  const offer = writeDocumentedOffer(parts);
  expect(offer.match(/^a=extmap:/gm)).toHaveLength(3);
  expect(offer).toMatch(/^a=candidate:.* 2113937151 .* ufrag abcdefghABCDEFGH /m);
  expect(offer.match(/^a=ssrc:4000000000 /gm)).toHaveLength(4);
  expect(offer).not.toContain('ptime:');
});
