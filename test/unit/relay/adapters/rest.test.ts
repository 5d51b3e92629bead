import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Rest } from '../../../../relay/adapters/rest.ts';

/** Lets packets come, so many at once, so long after another; the lengths of the rests in ms. */
function rig() {
  let nowMs = 0;
  const rests: number[] = [];
  const rest = new Rest(
    (ms) => void rests.push(ms),
    () => nowMs,
  );
  const packets = async (count: number, everyMs: number, batch = 1) => {
    rests.length = 0;
    for (let sent = 0; sent < count; sent += batch) {
      for (let index = 0; index < batch; index++) rest.packet();
      nowMs += batch * everyMs;
      await turn();
    }
    return rests;
  };
  return { packets };
}

it.each([
  { everyMs: 0.5, ms: 1 },
  { everyMs: 0.2, ms: 2 },
])('rests for $ms ms after each batch of packets that come every $everyMs ms', async (come) => {
  const { packets } = rig();
  // The first 64 packets tell how fast they come.
  await packets(64, come.everyMs);
  expect(await packets(640, come.everyMs, 8)).toEqual(Array<number>(80).fill(come.ms));
});

it('does not rest while packets come one by one', async () => {
  const { packets } = rig();
  expect(await packets(640, 2)).toEqual([]);
});

it('stops when packets become rare', async () => {
  const { packets } = rig();
  expect((await packets(128, 0.2)).length).toBeGreaterThan(0);
  await packets(64, 10);
  expect(await packets(64, 10)).toEqual([]);
});
