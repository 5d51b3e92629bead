import { afterEach, expect, it } from 'vitest';
import { SdpValidationError } from '../../local/simulator/answer.ts';
import { BrowserPhone, type PageMessage } from '../../local/simulator/browser-phone.ts';
import { SimulatorClient } from '../../local/simulator/client.ts';
import { startSimulator, type Simulator } from '../../local/simulator/simulator.ts';

const FINGERPRINT = Array.from({ length: 32 }, () => 'AB').join(':');
/** The lines of a browser's audio offer that matter, in its order; addresses and keys invented. */
const BROWSER_OFFER = [
  'v=0',
  'o=- 1 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'a=extmap-allow-mixed',
  'm=audio 32768 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126',
  'c=IN IP4 192.0.2.2',
  'a=candidate:407885279 1 udp 2122194687 192.0.2.2 32768 typ host generation 0 network-id 1',
  'a=candidate:1 1 udp 2122194687 2b1c-45.local 32769 typ host generation 0',
  'a=candidate:2 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active generation 0',
  'a=ice-ufrag:Swjz',
  'a=ice-pwd:FfALJNSaU1NXBR4LXkMtL1LN',
  'a=ice-options:trickle',
  `a=fingerprint:sha-256 ${FINGERPRINT}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  'a=sendrecv',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtpmap:63 red/48000/2',
  'a=rtpmap:110 telephone-event/48000',
  'a=rtpmap:126 telephone-event/8000',
  'a=ssrc:2056559148 cname:x',
]
  .map((line) => `${line}\r\n`)
  .join('');

const ANSWER = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE audio',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111 126',
  'c=IN IP4 0.0.0.0',
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
]
  .map((line) => `${line}\r\n`)
  .join('');

let simulator: Simulator | undefined;
afterEach(async () => {
  await simulator?.close();
  simulator = undefined;
});

it("the offer has Meta's shape with the browser's own parts, and is not ICE-lite", () => {
  const { offer } = new BrowserPhone(BROWSER_OFFER, () => 1_790_000_000_000);
  expect(offer).not.toContain('ice-lite');
  expect(offer).toContain('m=audio 32768 UDP/TLS/RTP/SAVPF 111 126\r\n');
  expect(offer.match(/^a=candidate:[^\r]*/gm)).toEqual([
    'a=candidate:407885279 1 udp 2122194687 192.0.2.2 32768 typ host generation 0 network-id 1',
  ]);
  for (const line of [
    'a=group:BUNDLE audio',
    'a=ice-ufrag:Swjz',
    'a=ice-pwd:FfALJNSaU1NXBR4LXkMtL1LN',
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    'a=mid:audio',
    'a=ssrc:2056559148 cname:WhatsAppAudioStream1',
  ]) {
    expect(offer).toContain(`${line}\r\n`);
  }
});

it('the answer goes back with the section name that the browser knows', async () => {
  const phone = new BrowserPhone(BROWSER_OFFER, () => 0);
  await phone.applyAnswer(ANSWER);
  const told: PageMessage[] = [];
  phone.attach((message) => told.push(message));
  expect(told).toEqual([
    {
      type: 'answer',
      sdp: ANSWER.replace('BUNDLE audio', 'BUNDLE 0').replace('mid:audio', 'mid:0'),
    },
  ]);
});

it('an offer without audio is refused', () => {
  expect(() => new BrowserPhone('v=0\r\n', () => 0)).toThrow(SdpValidationError);
});

async function pageCall(url: string) {
  const response = await fetch(`${url}/phone/calls`, {
    method: 'POST',
    body: JSON.stringify({ offer: BROWSER_OFFER, from: '15550100042', name: 'Ana' }),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}

/** Reads what the page would be told, until it holds `text`. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, text: string) {
  let seen = '';
  while (!seen.includes(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended before ${text}: ${seen}`);
    seen += Buffer.from(value).toString();
  }
}

it('the page hears of every phase, and its media keeps the rules', async () => {
  simulator = await startSimulator({ limits: { firstMediaMs: 200 } });
  const { url, number } = simulator;
  const client = new SimulatorClient(url);
  const id = await pageCall(url);
  const events = await fetch(`${url}/phone/calls/${id}/events`);
  const reader = (events.body as ReadableStream<Uint8Array>).getReader();
  const { wacid } = await client.get(id);
  const act = (action: string) =>
    fetch(`${url}/v23.0/${number.phoneNumberId}/calls`, {
      method: 'POST',
      headers: { authorization: 'Bearer simulated-access-token' },
      body: JSON.stringify({
        messaging_product: 'whatsapp',
        action,
        call_id: wacid,
        session: { sdp_type: 'answer', sdp: ANSWER },
      }),
    });
  expect((await act('pre_accept')).status).toBe(200);
  await readUntil(reader, '"type":"answer"');
  expect((await act('accept')).status).toBe(200);
  await readUntil(reader, '"state":"live"');
  // The page reports no packet, so the rule for the first media applies to it too.
  await readUntil(reader, '"reason":"no-media by platform"');
  expect((await client.get(id)).ended).toEqual({ by: 'platform', reason: 'no-media' });
});

it('a page that goes away hangs up', async () => {
  simulator = await startSimulator();
  const client = new SimulatorClient(simulator.url);
  const id = await pageCall(simulator.url);
  const leave = new AbortController();
  await fetch(`${simulator.url}/phone/calls/${id}/events`, { signal: leave.signal });
  leave.abort();
  const ended = await client.waitFor(id, ({ state }) => state === 'ended');
  expect(ended.ended).toEqual({ by: 'caller', reason: 'hangup' });
});
