// A relay of several processes in the whole stack: calls on each of them, and what the end of one costs.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ExtraRelay } from '../support/extra-relay.ts';
import { useStack } from '../support/use-stack.ts';
import { Scene } from './scene.ts';
import { expectUnbrokenCall, relayOf } from './trouble.ts';

const stack = useStack('processes');
let scene: Scene;
let relay: ExtraRelay;
beforeAll(async () => {
  scene = await Scene.open(stack());
  relay = await ExtraRelay.start(stack(), { capacity: 1, processes: 2 });
  // The relay that every stack has would take calls as well.
  await stack().relay.kill();
});
afterAll(() => scene?.events.close());

type Listed = { id: string; processes: number; capacity: number; calls: number };

async function listed(): Promise<Listed | undefined> {
  const { data } = await stack().admin.request<{ data: Listed[] }>('GET', '/v1/relays');
  return data.find(({ id }) => id === relay.id);
}

/** The system's number of one of the relay's processes. Spec: proc(5), /proc/PID/task/TID/children. */
function pidOf(number: number): number {
  const { pid } = relay.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const found = children.find((child) =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').endsWith(`--process\0${number}\0`),
  );
  if (found === undefined) throw new Error(`process ${number} is not among ${children.join(' ')}`);
  return Number(found);
}

it('each process takes calls; one that is killed loses its own, and is there again for the next', async () => {
  await expect.poll(listed, { timeout: 20_000 }).toMatchObject({ processes: 2, capacity: 2 });
  const calls = [await scene.talk(), await scene.talk()];
  const places = await Promise.all(
    calls.map(async ({ call }) => relayOf(await stack().admin.call(call.id))),
  );
  expect(new Set(places)).toEqual(new Set([`${relay.id}.1`, `${relay.id}.2`]));
  expect(await listed()).toMatchObject({ calls: 2 });
  const [first, second] = [1, 2].map((number) => calls[places.indexOf(`${relay.id}.${number}`)]);
  if (!first || !second) throw new Error(`the calls are on ${places.join(' and ')}`);

  process.kill(pidOf(1), 'SIGKILL');
  const lost = await scene.ended(first);
  expect(lost.record.outcome).toMatchObject({ result: 'server_error', reason: 'relay-lost' });
  await expect.poll(listed, { timeout: 20_000 }).toMatchObject({ processes: 2, calls: 1 });
  const next = await scene.talk();
  expect(relayOf(await stack().admin.call(next.call.id))).toBe(`${relay.id}.1`);
  await scene.stillTalk(second);
  for (const answered of [second, next]) expectUnbrokenCall(await scene.hangUp(answered));
});
