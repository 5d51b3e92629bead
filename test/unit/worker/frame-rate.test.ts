import { expect, it } from 'vitest';
import { OUTBOX_EVENTS_MAX } from '../../../relay/outbox.ts';
import { FrameRate } from '../../../worker/frame-rate.ts';

it('one connection that talks too fast takes nothing from another', () => {
  const frames = new FrameRate({ perSecond: 1, burst: 2 });
  const [loud, quiet] = [{}, {}];
  expect([1, 2, 3].map(() => frames.admits(loud, 0))).toEqual([true, true, false]);
  expect(frames.admits(quiet, 0)).toBe(true);
  expect(frames.admits(loud, 1_000)).toBe(true);
});

it('a relay may send everything again that it has kept while it was away', () => {
  const frames = new FrameRate();
  const relay = {};
  const admitted = Array.from({ length: OUTBOX_EVENTS_MAX }, () => frames.admits(relay, 0));
  expect(admitted.every(Boolean)).toBe(true);
});
