import { expect, it } from 'vitest';
import { Outbox } from '../../../relay/outbox.ts';

const mediaUp = (callId: string) => ({ type: 'media-up' as const, call_id: callId });
const ended = (callId: string) => ({
  type: 'ended' as const,
  call_id: callId,
  reason: 'closed' as const,
});

it('numbers events from 1 and keeps them in order until acknowledged', () => {
  const outbox = new Outbox();
  expect([mediaUp('a'), mediaUp('b'), ended('a')].map((event) => outbox.add(event, 5).seq)).toEqual(
    [1, 2, 3],
  );
  outbox.acknowledge(2);
  outbox.acknowledge(1);
  expect(outbox.pending()).toMatchObject([{ seq: 3, type: 'ended', at_ms: 5 }]);
  outbox.acknowledge(3);
  expect(outbox.size).toBe(0);
});

it('lets no call keep others out: beyond its share the oldest of its own goes', () => {
  const outbox = new Outbox(100, 3);
  outbox.add(mediaUp('other'), 0);
  for (let n = 0; n < 50; n++) outbox.add(mediaUp('loud'), 0);
  outbox.add(ended('loud'), 0);
  expect(outbox.pending().map(({ seq }) => seq)).toEqual([1, 50, 51, 52]);
  // What was acknowledged counts no more.
  outbox.acknowledge(51);
  for (let n = 0; n < 2; n++) outbox.add(mediaUp('loud'), 0);
  expect(outbox.pending().map(({ seq }) => seq)).toEqual([52, 53, 54]);
  outbox.add(mediaUp('loud'), 0);
  expect(outbox.pending().map(({ seq }) => seq)).toEqual([52, 54, 55]);
});

it('gives up what an end makes outdated before it gives up an end', () => {
  const outbox = new Outbox(3);
  for (const event of [ended('a'), mediaUp('b'), mediaUp('c'), ended('b')]) outbox.add(event, 0);
  expect(outbox.pending().map(({ seq }) => seq)).toEqual([1, 3, 4]);
  outbox.add(ended('c'), 0);
  outbox.add(ended('d'), 0);
  expect(outbox.pending().map(({ seq }) => seq)).toEqual([4, 5, 6]);
  expect(outbox.dropped).toBe(3);
});

it('forgets an event that is not wanted, wherever it stands, and counts it no more', () => {
  const outbox = new Outbox(100, 2);
  for (const event of [mediaUp('a'), ended('a'), mediaUp('b')]) outbox.add(event, 0);
  expect(outbox.remove(2)).toMatchObject({ type: 'ended', call_id: 'a' });
  expect(outbox.remove(2)).toBeUndefined();
  outbox.add(ended('a'), 0);
  expect(outbox.pending().map(({ seq }) => seq)).toEqual([1, 3, 4]);
});
