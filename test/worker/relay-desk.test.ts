// What a relay's connection may carry, without a Durable Object around it.
import { expect, it } from 'vitest';
import { CLOSE_BAD_FRAME, CLOSE_TOO_MANY_FRAMES, FRAME_BYTES_MAX } from '../../relay/protocol.ts';
import { RelaySockets, type SocketHost } from '../../worker/adapters/relay-sockets.ts';
import { CallBook } from '../../worker/call-book.ts';
import type { RelayId } from '../../worker/domain/ids.ts';
import { RELAY_FRAMES } from '../../worker/frame-rate.ts';
import { RelayDesk } from '../../worker/relay-desk.ts';
import { NOBODY } from '../../worker/domain/desk.ts';

/** A connection as the Switchboard has it; `sent` and `closedWith` are what the relay sees of it. */
function open(nowMs: () => number) {
  let attachment: unknown = null;
  const sent: string[] = [];
  const closed: number[] = [];
  const socket = {
    readyState: WebSocket.OPEN,
    send: (text: string) => sent.push(text),
    close: (code: number) => closed.push(code),
    serializeAttachment: (value: unknown) => (attachment = value),
    deserializeAttachment: () => attachment,
  } as unknown as WebSocket;
  const host = {
    acceptWebSocket: () => undefined,
    getWebSockets: () => [socket],
    getWebSocketAutoResponseTimestamp: () => null,
  } as SocketHost;
  const nothing = () => Promise.resolve([]);
  const book = new CallBook({
    store: { findLive: nothing } as never,
    now: nowMs,
    wakeAt: () => Promise.resolve(),
    prepare: async () => {},
    deskFor: () => NOBODY,
    place: () => null,
    pause: () => Promise.resolve(),
    act: () => undefined,
    resume: () => undefined,
    missed: () => undefined,
  });
  const desk = new RelayDesk({
    sockets: new RelaySockets(host),
    book,
    absences: { all: () => [], note: () => undefined, forget: () => undefined },
    isMasking: () => false,
    access: () => ({ url: 'ws://livekit', apiKey: 'key', apiSecret: 'secret' }),
    now: nowMs,
    quality: { isWanted: () => false, publish: () => undefined },
    wakeAt: () => Promise.resolve(),
  });
  desk.accept(socket, 'r1' as RelayId);
  return { desk, socket, sent, closed };
}

it('a relay that sends too many frames is cut off', async () => {
  let nowMs = 0;
  const { desk, socket, closed } = open(() => nowMs);
  const frame = JSON.stringify({ type: 'draining' });
  for (let count = 0; count < RELAY_FRAMES.burst; count++) await desk.receive(socket, frame);
  nowMs += 1_000;
  for (let count = 0; count < RELAY_FRAMES.perSecond; count++) await desk.receive(socket, frame);
  expect(closed).toEqual([]);
  await desk.receive(socket, frame);
  expect(closed).toEqual([CLOSE_TOO_MANY_FRAMES]);
});

it.each<[what: string, message: string | ArrayBuffer, isClosed: boolean]>([
  ['no JSON', '{', true],
  ['bytes', new ArrayBuffer(4), true],
  ['a frame that breaks the protocol', JSON.stringify({ type: 'call.is' }), true],
  ['more than a frame may hold', ' '.repeat(FRAME_BYTES_MAX + 1), true],
  ['a frame of a later version', JSON.stringify({ type: 'later' }), false],
])('%s: the connection is closed or the frame passed over', async (_what, message, isClosed) => {
  const { desk, socket, closed } = open(() => 0);
  await desk.receive(socket, message);
  expect(closed).toEqual(isClosed ? [CLOSE_BAD_FRAME] : []);
});

it('a relay cannot greet under the name of another', async () => {
  const { desk, socket, sent, closed } = open(() => 0);
  const hello = {
    type: 'hello',
    relay_id: 'r2',
    instance: 'i1',
    protocol: 2,
    capacity: 1,
    draining: false,
    calls: [],
  };
  await desk.receive(socket, JSON.stringify(hello));
  expect(closed).toEqual([CLOSE_BAD_FRAME]);
  await desk.receive(socket, JSON.stringify({ ...hello, relay_id: 'r1' }));
  expect(JSON.parse(sent[0] ?? '')).toMatchObject({ type: 'welcome' });
});

const HELLO = {
  type: 'hello',
  relay_id: 'r1',
  instance: 'i1',
  protocol: 3,
  capacity: 1,
  draining: false,
  calls: [],
};

it.each([
  ['a field of another type', { type: 'ready', identity: 7 }, 'identity: '],
  ['a field that is missing', { type: 'played', id: 1 }, 'completed: '],
  [
    'a field within a field',
    { type: 'media-up', path: { local: 'x', remote: 'y' } },
    'path.local_type: ',
  ],
  ['no call', { type: 'media-up', call_id: undefined }, 'call_id: '],
  ['an end of no call', { type: 'ended', call_id: undefined, reason: 'closed' }, 'call_id: '],
])('an event with %s is refused by name and not wanted again', async (_what, broken, field) => {
  const { desk, socket, sent, closed } = open(() => 0);
  await desk.receive(socket, JSON.stringify(HELLO));
  const event = { seq: 4, at_ms: 1, call_id: 'c1', ...broken };
  await desk.receive(socket, JSON.stringify(event));
  const [, refused, ack] = sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  expect(refused).toMatchObject({ type: 'refused', seq: 4 });
  expect(refused?.['message']).toContain(field);
  expect(ack).toEqual({ type: 'ack', seq: 4 });
  expect(closed).toEqual([]);
});

it('an event before the hello, or one without a number, is no event', async () => {
  const event = { type: 'ready', at_ms: 1, call_id: 'c1', identity: 7 };
  const early = open(() => 0);
  await early.desk.receive(early.socket, JSON.stringify({ ...event, seq: 1 }));
  expect(early.closed).toEqual([CLOSE_BAD_FRAME]);
  const late = open(() => 0);
  await late.desk.receive(late.socket, JSON.stringify(HELLO));
  await late.desk.receive(late.socket, JSON.stringify(event));
  expect(late.closed).toEqual([CLOSE_BAD_FRAME]);
});
