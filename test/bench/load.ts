// The load generator, a process of its own: phones and room participants that send stamped packets of Opus size, each at its
// own moment within the 20 ms, and measure how long the other side's packets were under way.
import { Audio, PeerConnection, type Track } from 'node-datachannel';
import { createJoinRoom } from '../../relay/adapters/livekit-room.ts';
import { emptyRtpView, isRtcp, readRtp, writeRtpHeader } from '../../relay/domain/rtp.ts';
import type { Log, RoomLink } from '../../relay/ports.ts';
import type { LoadReply, LoadRequest, LoadResult } from './load-messages.ts';

const FRAME_MS = 20;
const PAYLOAD_BYTES = 60;
/** Its first bit says to whoever reads it that the packet is speech (RFC 6716 section 4.2.3). */
const MAGIC = 0xd24c;
/** What was sent this late in a window may still be under way when it ends, in ms. */
const LINGER_MS = 700;

const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const joinRoom = createJoinRoom({ url: undefined, bindAddress: '127.0.0.1' }, log);

type Endpoint = {
  readonly toAgent: boolean;
  readonly ssrc: number;
  readonly audioLevelId: number;
  readonly send: (packet: Uint8Array) => void;
  readonly close: () => void;
  sequence: number;
  timestamp: number;
  dueMs: number;
};

/** When the newest packet of one way was sent. */
type Latest = { sentMs: number };

const endpoints: Endpoint[] = [];
const phones = new Map<string, PeerConnection>();
const view = emptyRtpView();
const packet = Buffer.alloc(100, 0x55);

let window: { fromMs: number; untilMs: number } | undefined;
const noResult = (): LoadResult => ({
  sent: 0,
  received: 0,
  reordered: 0,
  unstamped: 0,
  toAgentMs: [],
  toCallerMs: [],
});
let result = noResult();

function receive(bytes: Uint8Array, toAgent: boolean, latest: Latest): void {
  const nowMs = performance.now();
  if (isRtcp(bytes) || !readRtp(bytes, 0, view)) return;
  const length = view.payloadEnd - view.payloadStart;
  const data = Buffer.from(bytes.buffer, bytes.byteOffset + view.payloadStart, length);
  if (length !== PAYLOAD_BYTES || data.readUInt16BE(1) !== MAGIC) {
    // Silence that fills gaps is small.
    if (window && length > 8) result.unstamped += 1;
    return;
  }
  const sentMs = data.readDoubleBE(3);
  if (sentMs < latest.sentMs) result.reordered += 1;
  latest.sentMs = Math.max(latest.sentMs, sentMs);
  if (!window || sentMs < window.fromMs || sentMs >= window.untilMs) return;
  result.received += 1;
  (toAgent ? result.toAgentMs : result.toCallerMs).push(nowMs - sentMs);
}

function sendOne(endpoint: Endpoint): void {
  const at = writeRtpHeader(
    packet,
    111,
    false,
    endpoint.sequence,
    endpoint.timestamp,
    endpoint.ssrc,
    endpoint.audioLevelId,
    20,
  );
  endpoint.sequence = (endpoint.sequence + 1) & 0xffff;
  endpoint.timestamp = (endpoint.timestamp + 960) >>> 0;
  const nowMs = performance.now();
  packet[at] = 0x78;
  packet.writeUInt16BE(MAGIC, at + 1);
  packet.writeDoubleBE(nowMs, at + 3);
  endpoint.send(packet.subarray(0, at + PAYLOAD_BYTES));
  if (window && nowMs >= window.fromMs && nowMs < window.untilMs) result.sent += 1;
}

function sendDue(): void {
  const nowMs = performance.now();
  for (const endpoint of endpoints) {
    while (nowMs >= endpoint.dueMs) {
      endpoint.dueMs += FRAME_MS;
      sendOne(endpoint);
    }
  }
}

function addEndpoint(
  part: Pick<Endpoint, 'toAgent' | 'ssrc' | 'audioLevelId' | 'send' | 'close'>,
): void {
  endpoints.push({ ...part, sequence: 1, timestamp: 1, dueMs: Infinity });
}

/** A phone with full ICE: cheaper than a faithful one, and it measures the same path. */
async function addPhone(id: string): Promise<string> {
  const peer = new PeerConnection(id, {
    iceServers: [],
    bindAddress: '127.0.0.1',
    disableAutoNegotiation: true,
  });
  phones.set(id, peer);
  const ssrc = 1 + endpoints.length;
  const audio = new Audio('audio', 'SendRecv');
  audio.addOpusCodec(111, 'minptime=20;useinbandfec=1');
  audio.addSSRC(ssrc, 'load', 'stream', 'track');
  const track: Track = peer.addTrack(audio);
  const latest: Latest = { sentMs: 0 };
  track.onMessage((bytes) => receive(bytes, false, latest));
  const gathered = new Promise<void>((resolve) => {
    peer.onGatheringStateChange((state) => state === 'complete' && resolve());
  });
  peer.setLocalDescription('offer');
  await gathered;
  addEndpoint({
    toAgent: true,
    ssrc,
    audioLevelId: 0,
    send: (bytes) => track.isOpen() && track.sendMessageBinary(bytes as Buffer),
    close: () => peer.close(),
  });
  return peer.localDescription()?.sdp ?? '';
}

async function addParticipant(request: Extract<LoadRequest, { do: 'join' }>): Promise<void> {
  const toAgent = request.side === 'caller';
  const latest: Latest = { sentMs: 0 };
  await new Promise<void>((resolve, reject) => {
    const link: RoomLink = joinRoom(
      { url: request.url, token: request.token, cname: request.id, connectMsMax: 10_000 },
      { named: [request.hears], excluded: [], ai: false, everyone: false },
      {
        onJoined: () => resolve(),
        onEnded: ({ detail }) => reject(new Error(detail)),
        onAudio: (_source, bytes) => receive(bytes, !toAgent, latest),
        onReport: nothing,
        onParticipantJoined: nothing,
        onParticipantLeft: nothing,
        onPublisherSkipped: nothing,
        onReady: nothing,
        onSourceGone: nothing,
        onSpeaking: nothing,
        onCallerHeard: nothing,
        onTransferAsked: () => false,
        onKey: nothing,
      },
    );
    addEndpoint({
      toAgent,
      ssrc: link.publication.ssrc,
      audioLevelId: link.publication.audioLevelId,
      send: (bytes) => link.send(bytes),
      close: () => void link.leave(),
    });
  });
}

async function measure(ms: number): Promise<LoadResult> {
  result = noResult();
  const fromMs = performance.now();
  window = { fromMs, untilMs: fromMs + ms };
  await new Promise((resolve) => setTimeout(resolve, ms + LINGER_MS));
  window = undefined;
  return result;
}

async function carryOut(request: LoadRequest): Promise<LoadReply> {
  switch (request.do) {
    case 'phone':
      return { ok: true, sdp: await addPhone(request.id) };
    case 'answer':
      phones.get(request.id)?.setRemoteDescription(request.sdp, 'answer');
      return { ok: true };
    case 'drop':
      phones.delete(request.id);
      // The newest endpoint is the phone's.
      endpoints.pop()?.close();
      return { ok: true };
    case 'join':
      await addParticipant(request);
      return { ok: true };
    case 'start': {
      const nowMs = performance.now();
      for (const [index, endpoint] of endpoints.entries()) {
        endpoint.dueMs = nowMs + (index * FRAME_MS) / endpoints.length;
      }
      return { ok: true };
    }
    case 'measure':
      return { ok: true, result: await measure(request.ms) };
    case 'clear':
      for (const endpoint of endpoints.splice(0)) endpoint.close();
      phones.clear();
      return { ok: true };
  }
}

setInterval(sendDue, 1);
process.on('message', (request: LoadRequest) => {
  carryOut(request).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ ok: false, error: String(error) } satisfies LoadReply),
  );
});
process.on('disconnect', () => process.exit(0));
