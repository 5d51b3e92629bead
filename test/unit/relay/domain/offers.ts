// Offers and answers in the shapes that the provider sends, for tests to change one thing in.

const FINGERPRINT = Array.from({ length: 32 }, (_, index) =>
  (index * 7).toString(16).padStart(2, '0').toUpperCase(),
).join(':');

/** The shape on the wire, as captured 2025-03 to 2026-10 (addresses and keys replaced). */
export const wireOffer = (): string[] => [
  'v=0',
  'o=- 1762330000000 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE audio',
  'a=msid-semantic: WMS 7f0e2a44-5c47-4b0b-9a1d-000000000000',
  'a=ice-lite',
  'm=audio 3480 UDP/TLS/RTP/SAVPF 111 126',
  'c=IN IP4 192.0.2.10',
  'a=rtcp:9 IN IP4 0.0.0.0',
  'a=candidate:1972280484 1 udp 2122260223 192.0.2.10 3480 typ host generation 0 network-cost 50',
  'a=candidate:2213112133 1 udp 2122262783 2001:db8::10 3480 typ host generation 0 network-cost 50',
  'a=ice-ufrag:aBcDeFgH12345678',
  'a=ice-pwd:AbCdEfGhIjKlMnOpQrSt+w==',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=setup:actpass',
  'a=mid:audio',
  'a=sendrecv',
  'a=msid:7f0e2a44-5c47-4b0b-9a1d-000000000000 WhatsAppTrack1',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  'a=rtcp-fb:111 transport-cc',
  'a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;sprop-maxcapturerate=16000;useinbandfec=1',
  'a=rtpmap:126 telephone-event/8000',
  'a=maxptime:20',
  'a=ptime:20',
  'a=ssrc:3061273283 cname:WhatsAppAudioStream1',
];

/** The older sample in the provider's reference page. */
export const documentedOffer = (): string[] => [
  'v=0',
  'o=- 7602563789789945080 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE audio',
  'a=msid-semantic: WMS 632a909f-1e29-4f69-98a4-ba5c4a8e2f2b',
  'a=ice-lite',
  'm=audio 40012 UDP/TLS/RTP/SAVPF 111 126',
  'c=IN IP4 192.0.2.10',
  'a=rtcp:9 IN IP4 0.0.0.0',
  'a=candidate:1775144932 1 udp 2113937151 192.0.2.10 40012 typ host generation 0 ufrag 6O0H/2 network-cost 50',
  'a=candidate:2013524532 1 udp 2113939711 2001:db8::10 40012 typ host generation 0 ufrag 6O0H/2 network-cost 50',
  'a=ice-ufrag:6O0H/2',
  'a=ice-pwd:V1WcHtf3FbaJUUVLWrnAgPRLOzWlNoZm',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=setup:actpass',
  'a=mid:audio',
  'a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
  'a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'a=sendrecv',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  'a=rtcp-fb:111 transport-cc',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:126 telephone-event/8000',
  'a=maxptime:20',
  'a=ssrc:1350742474 cname:VyV2Wa2u1m2lNQ6u',
  'a=ssrc:1350742474 msid:632a909f-1e29-4f69-98a4-ba5c4a8e2f2b audio#632a909f',
  'a=ssrc:1350742474 mslabel:632a909f-1e29-4f69-98a4-ba5c4a8e2f2b',
  'a=ssrc:1350742474 label:audio#632a909f',
];

/**
 * An answer to our offer. No public capture of one exists: this is the offer's shape with what reports of answers say (mid and
 * payload types as offered, a role).
 */
export const wireAnswer = (setup = 'passive'): string[] =>
  wireOffer().map((line) =>
    line
      .replace('BUNDLE audio', 'BUNDLE 0')
      .replace('a=mid:audio', 'a=mid:0')
      .replace('setup:actpass', `setup:${setup}`),
  );

/** The sample answer in the provider's reference page: more codecs than were offered, extensions, `trickle`. */
export const documentedAnswer = (): string[] =>
  documentedOffer().flatMap((line) => {
    if (line.startsWith('m=')) return ['m=audio 3482 UDP/TLS/RTP/SAVPF 111 9 0 8 110 126'];
    if (line === 'a=ice-lite') return [line, 'a=extmap-allow-mixed', 'a=ice-options:trickle'];
    if (line === 'a=setup:actpass') return ['a=setup:active'];
    if (line === 'a=mid:audio') return ['a=mid:0'];
    if (!line.startsWith('a=rtpmap:126')) return [line];
    return ['a=rtpmap:9 G722/8000', 'a=rtpmap:110 telephone-event/48000', line];
  });

export const joined = (lines: readonly string[], end = '\r\n'): string => lines.join(end) + end;
