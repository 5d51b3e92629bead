// Subscribers who come and go while calls come: each sees every event once, in order, also when the Switchboard loses its memory.
import { evictDurableObject } from 'cloudflare:test';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { InboundScene, switchboard } from './inbound-scene.ts';
import { settled } from './record.ts';
import {
  ADMIN_KEY,
  connectWebhook,
  postWebhook,
  request,
  terminateWebhook,
  testEnv,
  unique,
  until,
} from './support.ts';

let scene: InboundScene;

beforeAll(async () => {
  scene = await InboundScene.open();
});
afterAll(() => vi.restoreAllMocks());

/** One connection; what it is told goes to the end of `seen`, until the returned function closes it. */
async function connect(seen: number[], after: number): Promise<() => void> {
  const headers = { upgrade: 'websocket', authorization: `Bearer ${ADMIN_KEY}` };
  const { webSocket } = await request(`/v1/events?after=${after}`, { headers });
  if (!webSocket) throw new Error('no WebSocket');
  let isOpen = true;
  webSocket.addEventListener('message', ({ data }) => {
    const { id } = JSON.parse(String(data)) as { id?: number };
    // What was on its way when the client had gone is not seen by anybody.
    if (id !== undefined && isOpen) seen.push(id);
  });
  webSocket.accept();
  return () => {
    isOpen = false;
    webSocket.close();
  };
}

const lastEvent = async (): Promise<number> =>
  (
    await testEnv.DB.prepare('SELECT coalesce(max(id), 0) AS id FROM call_events').first<{
      id: number;
    }>()
  )?.id ?? 0;

it('nothing is lost, told twice or out of order over reconnections and evictions', async () => {
  const start = await lastEvent();
  const seen: number[] = [];
  /** A user calls and gives up. */
  const call = async (): Promise<void> => {
    const fields = { ...scene.fields(unique('wacid.')), from: `35191${unique('').slice(-8)}` };
    await postWebhook(connectWebhook(fields));
    await postWebhook(terminateWebhook(fields));
  };
  let last = start;
  for (let round = 0; round < 6; round++) {
    const close = await connect(seen, last);
    // Some while it is connected, some while it is not; the connection ends somewhere in between.
    const calls = Array.from({ length: 12 }, call);
    await until('an event', () => (seen.at(-1) ?? start) > last);
    close();
    await Promise.all(calls);
    if (round % 2 === 1) await evictDurableObject(switchboard());
    last = seen.at(-1) ?? start;
  }
  await settled();
  await connect(seen, last);
  const { results } = await testEnv.DB.prepare(
    'SELECT id FROM call_events WHERE id > ? ORDER BY id',
  )
    .bind(start)
    .all<{ id: number }>();
  const all = results.map(({ id }) => id);
  await until('the last event', () => seen.length >= all.length);
  expect(all.length).toBeGreaterThan(150);
  expect(seen.slice(0, all.length)).toEqual(all);
});
