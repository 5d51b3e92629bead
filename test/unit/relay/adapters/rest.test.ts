import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Rest } from '../../../../relay/adapters/rest.ts';

/** Counts the rests while packets come at a steady pace, in batches that arrive together. */
async function restsAt(packetsPerMs: number, batch = 1, packets = 640): Promise<number> {
  let nowMs = 0;
  let rests = 0;
  const rest = new Rest(
    () => (rests += 1),
    () => nowMs,
  );
  for (let sent = 0; sent < packets; sent += batch) {
    for (let index = 0; index < batch; index++) rest.packet();
    nowMs += batch / packetsPerMs;
    await turn();
  }
  return rests;
}

it('rests after each batch while packets come faster than it rests', async () => {
  // The first 64 packets tell how fast they come.
  expect(await restsAt(5)).toBe(640 - 63);
  expect(await restsAt(5, 8)).toBe((640 - 56) / 8);
});

it('does not rest while packets come one by one', async () => {
  expect(await restsAt(0.5)).toBe(0);
});

it('stops when packets become rare', async () => {
  let nowMs = 0;
  let rests = 0;
  const rest = new Rest(
    () => (rests += 1),
    () => nowMs,
  );
  const packets = async (count: number, everyMs: number) => {
    for (let index = 0; index < count; index++) {
      nowMs += everyMs;
      rest.packet();
      await turn();
    }
  };
  await packets(128, 0.2);
  expect(rests).toBeGreaterThan(0);
  await packets(64, 10);
  const before = rests;
  await packets(64, 10);
  expect(rests).toBe(before);
});
