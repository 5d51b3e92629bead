// How calls sound: what a relay tells while they last goes to those who asked for it and nowhere else; what it tells at the end stays.
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { InboundScene, show } from './inbound-scene.ts';
import { ADMIN_KEY, FakeRelay, request, testEnv, until } from './support.ts';

let scene: InboundScene;
beforeAll(async () => {
  scene = await InboundScene.open();
});
afterAll(() => vi.restoreAllMocks());

const VOICE = {
  packets: 250,
  lost: 2,
  jitter_ms: 3.5,
  filled: 1,
  first_audio_ms: 40,
  duplicates: 1,
  reordered: 2,
  late: 1,
  gaps: 1,
  longest_gap: 2,
  mos: 4.31,
  receiver: { packets: 240, lost: 0, jitter_ms: 2.1, rtt_ms: 63.4 },
};
const STATS = { from_caller: VOICE, to_caller: VOICE };

type Frame = { type: string; calls?: { id: string; quality: unknown }[] };

/** Subscribes; everything but the `hello` comes into the returned list. */
async function subscribe(path: string): Promise<Frame[]> {
  const response = await request(path, {
    headers: { upgrade: 'websocket', authorization: `Bearer ${ADMIN_KEY}` },
  });
  const frames: Frame[] = [];
  const socket = response.webSocket;
  if (!socket) throw new Error(`no WebSocket: ${response.status}`);
  socket.accept();
  socket.addEventListener('message', ({ data }) => {
    frames.push(JSON.parse(String(data)) as Frame);
  });
  await until('hello', () => frames.length > 0);
  return frames;
}

const told = (frames: Frame[]) => frames.filter(({ type }) => type === 'quality');

const entriesIn = async () => {
  const row = await testEnv.DB.prepare('SELECT COUNT(*) AS count FROM call_events').first<{
    count: number;
  }>();
  return row?.count;
};

it('goes to those who asked for it, of calls of that relay alone, and into no record', async () => {
  const { id } = await scene.answer();
  const other = await FakeRelay.connect(await FakeRelay.register(), { draining: true });
  const asked = await subscribe('/v1/events?quality=true');
  const notAsked = await subscribe('/v1/events');
  const before = await entriesIn();
  other.send({ type: 'quality', calls: [{ call_id: id, stats: STATS }] });
  scene.relay.send({
    type: 'quality',
    calls: [
      { call_id: id, stats: STATS },
      { call_id: 'never-heard-of', stats: STATS },
    ],
  });
  await until('what is told', () => told(asked)[0]);
  expect(told(asked)).toMatchObject([{ calls: [{ id, quality: STATS }] }]);
  expect(await entriesIn()).toBe(before);
  expect((await show(id)).quality).toBeNull();
  // A later event of the call comes after it on every connection.
  scene.relay.say(id, { type: 'room-away' });
  await until('a later event', () => notAsked.find(({ type }) => type === 'call'));
  expect(told(notAsked)).toEqual([]);
});

it('is nothing that anybody is told while nobody asks', async () => {
  const { id } = await scene.answer();
  const notAsked = await subscribe('/v1/events');
  scene.relay.send({ type: 'quality', calls: [{ call_id: id, stats: STATS }] });
  scene.relay.say(id, { type: 'room-away' });
  await until('a later event', () => notAsked.find(({ type }) => type === 'call'));
  expect(told(notAsked)).toEqual([]);
});

it('stays with the call when it is over, as much of it as the relay could tell', async () => {
  const ends = [STATS, { from_caller: OLD_VOICE, to_caller: OLD_VOICE }];
  for (const stats of ends) {
    const { id } = await scene.answer();
    scene.relay.say(id, { type: 'ended', reason: 'closed', stats });
    const call = await until('the figures', async () => {
      const seen = await show(id);
      return seen.quality ? seen : undefined;
    });
    expect(call.quality).toEqual(stats);
  }
});

/** As relays of version 2 tell it. */
const OLD_VOICE = { packets: 250, lost: 2, jitter_ms: 3.5, filled: 1 };
