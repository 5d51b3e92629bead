// Whatever the worker sends, the process and the calls that it does not name stay.
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import {
  frameToRelay,
  parseFrame,
  relayEvent,
  type FrameToRelay,
} from '../../../relay/protocol.ts';
import { Registry } from '../../../relay/registry.ts';
import { noise } from '../../support/noise.ts';
import { joined, wireAnswer } from './domain/offers.ts';
import { AGENTS_ONLY, HOLD, offer, place, rig, want } from './session-rig.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const CAPACITY = 3;
const answer = joined(wireAnswer());
const ids = fc.constantFrom('c1', 'c2', 'c3', 'c4', 'c5');

const frame: fc.Arbitrary<FrameToRelay> = fc.oneof(
  fc.record({
    type: fc.constant('call.answer' as const),
    call_id: ids,
    sdp: fc.constantFrom(offer, answer, 'v=0'),
  }),
  fc.record({ type: fc.constant('call.offer' as const), call_id: ids }),
  fc.record({
    type: fc.constant('call.apply-answer' as const),
    call_id: ids,
    sdp: fc.constantFrom(offer, answer, 'v=0'),
  }),
  fc
    .record({
      call_id: ids,
      rev: fc.nat(9),
      connect: fc.boolean(),
      open: fc.boolean(),
      hasRoom: fc.boolean(),
      hold: fc.boolean(),
      playing: fc.option(
        fc.record({ id: fc.nat(3), prompt: fc.constantFrom('p', 'none'), loop: fc.boolean() }),
      ),
    })
    .map(({ hasRoom, ...change }) => want(0, { ...change, ...(hasRoom ? { room: place } : {}) })),
  fc.record({ type: fc.constant('call.close' as const), call_id: ids }),
  fc.record({ type: fc.constant('ack' as const), seq: fc.nat() }),
  fc.record({ type: fc.constant('refused' as const), seq: fc.nat(), message: fc.string() }),
);

/** The text of a frame, most often whole, or with up to four accidents; or no frame at all. */
const whole = frame.map((frame) => JSON.stringify(frame));
const accident = fc.record({ at: fc.nat(4_000), cut: fc.nat(20), noise: noise(6) });
const text = fc.oneof(
  { weight: 6, arbitrary: whole },
  {
    weight: 3,
    arbitrary: fc
      .tuple(whole, fc.array(accident, { minLength: 1, maxLength: 4 }))
      .map(([whole, accidents]) =>
        accidents.reduce((before, { at, cut, noise }) => {
          const from = at % (before.length + 1);
          return before.slice(0, from) + noise + before.slice(from + cut);
        }, whole),
      ),
  },
  fc.json(),
  noise(200),
  fc.constantFrom('['.repeat(60_000), '{"type":'.repeat(8_000), 'x'.repeat(70_000)),
);

it('is a frame, or refused by name', () => {
  fc.assert(
    fc.property(text, (text) => {
      const parsed = parseFrame(frameToRelay, text);
      if (parsed.ok) expect(frameToRelay.safeParse(parsed.frame).success).toBe(true);
      else expect(['unknown', 'invalid']).toContain(parsed.kind);
    }),
    { numRuns: 500 },
  );
});

it(
  'ends only calls that it names, and never holds more than there is room for',
  { timeout: 60_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 40 }), async (texts) => {
        const { deps, events } = rig({
          loadPrompt: async (prompt) =>
            prompt === 'p' ? { ok: true, sound: [HOLD] } : { ok: false, message: 'gone' },
        });
        const registry = new Registry(CAPACITY, deps);
        registry.handle({ type: 'call.answer', call_id: 'steady', sdp: offer });
        await vi.advanceTimersByTimeAsync(0);
        registry.handle(want(1, { call_id: 'steady', connect: true, room: place }));
        for (const text of texts) {
          const parsed = parseFrame(frameToRelay, text);
          if (parsed.ok) registry.handle(parsed.frame);
          await vi.advanceTimersByTimeAsync(7);
          expect(registry.liveCalls().length).toBeLessThanOrEqual(CAPACITY);
        }
        expect(registry.liveCalls()).toContain('steady');
        registry.closeAll('the test is over');
        await vi.advanceTimersByTimeAsync(30_000);
        expect(registry.liveCalls()).toEqual([]);
        for (const [index, event] of events.entries())
          expect(relayEvent.safeParse({ ...event, seq: index + 1, at_ms: 0 }).success).toBe(true);
        const ended = events.flatMap((event) => (event.type === 'ended' ? [event.call_id] : []));
        expect(new Set(ended).size).toBe(ended.length);
      }),
      { numRuns: 200 },
    );
  },
);

it('may come a hundred thousand times: what is kept of it is bounded', async () => {
  const { deps, events } = rig();
  const registry = new Registry(CAPACITY, deps);
  registry.handle({ type: 'call.answer', call_id: 'steady', sdp: offer });
  await vi.advanceTimersByTimeAsync(0);
  for (let n = 0; n < 100_000; n++) {
    registry.handle(want(n, { call_id: 'steady', audience: { ...AGENTS_ONLY, named: [`${n}`] } }));
    registry.handle({ type: 'call.close', call_id: `unknown-${n}` });
  }
  expect(registry.liveCalls()).toEqual(['steady']);
  expect(events).toHaveLength(1);
  registry.closeAll('the test is over');
});
