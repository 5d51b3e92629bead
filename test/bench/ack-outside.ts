// Everything that a call set-up needs besides the worker, a process of its own: a relay that answers every offer, a provider
// that takes every request, a LiveKit that makes every room. No media flows.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Link } from '../../relay/link.ts';
import type { FrameToRelay } from '../../relay/protocol.ts';
import { waitUntil } from '../local/ports.ts';

/** What is reported of the room of a call. */
export type Report = { do: 'ready' | 'left'; callId: string; identity: string };

export type OutsideRequest =
  /** Connect to this worker as this relay. */
  | { do: 'connect'; url: string; id: string; secret: string }
  /** Somebody has joined the room of a call and is heard, or has left it; not answered. */
  | Report
  /** Answer nothing from now on. */
  | { do: 'hold' }
  /** Give the answers that were held back, one after the other, and all others at once. */
  | { do: 'release' };
/** First the port of provider and LiveKit; then that the request was carried out. */
export type OutsideReply = { port: number } | { ok: true } | { ok: false; error: string };

/** Above every rate times the time that a call rings. */
const CAPACITY = 10_000;
const WELCOME_MS_MAX = 10_000;
/** Between two answers that were held back, in ms. */
const RELEASE_STEP_MS = 5;
const ANSWER_SDP = `v=0\r\n${'a=the answer of a relay has about this length\r\n'.repeat(20)}`;

const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: console.error };
const clock = { nowMs: () => performance.now(), wallMs: () => Date.now() };

let isHolding = false;
const held: (() => void)[] = [];

/** Acts now, or once nothing is held back any more. */
function answer(act: () => void): void {
  if (isHolding) held.push(act);
  else act();
}

/** What calls have been told to do. */
const calls = new Map<string, { isConnected: boolean; hasRoom: boolean }>();

function react(frame: FrameToRelay, link: Link): void {
  if (!('call_id' in frame)) return;
  const { call_id } = frame;
  const call = calls.get(call_id) ?? { isConnected: false, hasRoom: false };
  if (frame.type === 'call.answer') {
    calls.set(call_id, call);
    answer(() => link.emit({ type: 'answered', call_id, sdp: ANSWER_SDP }));
  } else if (frame.type === 'call.want') {
    if (frame.connect && !call.isConnected) link.emit({ type: 'media-up', call_id });
    if (frame.room && !call.hasRoom) link.emit({ type: 'room-joined', call_id });
    call.isConnected ||= frame.connect;
    call.hasRoom ||= frame.room !== undefined;
  } else if (frame.type === 'call.close' && calls.delete(call_id)) {
    link.emit({ type: 'ended', call_id, reason: 'closed' });
  }
}

function respond(path: string, res: ServerResponse): void {
  res.setHeader('content-type', 'application/json');
  const isLiveKit = path.startsWith('/twirp/');
  res.end(isLiveKit ? '{}' : '{"messaging_product":"whatsapp","success":true}');
}

let relay: Link | null = null;

/** What happens in the room of a call that the relay still has. */
function report({ do: what, callId, identity }: Report): void {
  if (!relay || !calls.has(callId)) return;
  if (what === 'ready') relay.emit({ type: 'ready', call_id: callId, identity });
  else relay.emit({ type: 'participant-left', call_id: callId, identity, why: 'left' });
}

async function carryOut(request: Exclude<OutsideRequest, Report>): Promise<void> {
  switch (request.do) {
    case 'connect': {
      const { url, id, secret } = request;
      const state = () => ({ capacity: CAPACITY, draining: false, calls: [...calls.keys()] });
      const onFrame = (frame: FrameToRelay) => react(frame, link);
      const options = { url, relayId: id, secret };
      const link: Link = new Link(options, `bench-${process.pid}`, { state, onFrame }, clock, log);
      relay = link;
      link.start();
      return waitUntil('the welcome of the worker', WELCOME_MS_MAX, () => link.isConnected);
    }
    case 'hold':
      isHolding = true;
      return;
    case 'release':
      for (let act = held.shift(); act; act = held.shift()) {
        act();
        await delay(RELEASE_STEP_MS);
      }
      isHolding = false;
  }
}

const reply = (message: OutsideReply) => process.send?.(message);

const server = createServer((req, res) => {
  req.resume();
  req.once('end', () => answer(() => respond(req.url ?? '', res)));
});
server.listen(0, '127.0.0.1', () => reply({ port: (server.address() as AddressInfo).port }));

process.on('message', (request: OutsideRequest) => {
  if ('callId' in request) {
    report(request);
    return;
  }
  carryOut(request).then(
    () => reply({ ok: true }),
    (error: unknown) => reply({ ok: false, error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
