import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_LEDGER, type Ledger } from '../../../../worker/domain/permission-ledger.ts';
import { mayAsk, mayCall, statusAt } from '../../../../worker/domain/permission-questions.ts';
import type { PermissionState } from '../../../../worker/domain/permission-state.ts';
import { apply, type Fact, type PermissionReply } from '../../../../worker/domain/permission.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const T0 = 1_790_000_000_000;

const reply = (more: Partial<PermissionReply> = {}): PermissionReply => ({
  type: 'reply',
  atMs: T0,
  messageId: 'wamid.reply',
  contextId: 'wamid.request',
  isGranted: true,
  isPermanent: false,
  expiresAtMs: T0 + 7 * DAY,
  isAutomatic: false,
  ...more,
});
const state = (more: Partial<PermissionState> = {}): PermissionState => ({
  status: 'none',
  expiresAtMs: null,
  canAsk: true,
  canCall: false,
  askLimits: [],
  callLimits: [],
  ...more,
});
const snapshot = (atMs: number, more: Partial<PermissionState> = {}): Fact => ({
  type: 'snapshot',
  atMs,
  state: state(more),
});
const refused = (
  type: 'dial-refused' | 'request-refused',
  code: number,
  retryAtMs?: number,
): Fact => ({
  type,
  atMs: T0,
  code,
  retryAtMs,
});
const miss = (n: number, outcome: 'unanswered' | 'rejected' = 'unanswered'): Fact => ({
  type: 'outbound',
  atMs: T0 + n * 1000,
  callId: `call-${n}`,
  outcome,
});
/** All facts are known some time later, in the given order. */
const after = (facts: readonly Fact[], nowMs = T0 + HOUR): Ledger =>
  facts.reduce((ledger, fact) => apply(ledger, fact, nowMs), EMPTY_LEDGER);

describe('calling', () => {
  it('is allowed while nothing is known', () => {
    expect(mayCall(EMPTY_LEDGER, T0)).toEqual({ allowed: true });
    expect(statusAt(EMPTY_LEDGER, T0)).toBe('unknown');
  });

  it.each<[string, Fact[], object]>([
    ['a temporary grant allows it', [reply()], { allowed: true }],
    ['a permanent grant allows it', [reply({ isPermanent: true })], { allowed: true }],
    [
      'a user who declined is not called',
      [reply({ isGranted: false })],
      { allowed: false, reason: 'declined', retryAtMs: null },
    ],
    [
      'a permission taken back in the profile is gone',
      [
        reply({ messageId: 'a', isPermanent: true }),
        reply({ messageId: 'b', atMs: T0 + 5000, isGranted: false, contextId: null }),
      ],
      { allowed: false, reason: 'revoked', retryAtMs: null },
    ],
    [
      '138006 is remembered',
      [refused('dial-refused', 138006)],
      { allowed: false, reason: 'no-permission', retryAtMs: null },
    ],
    [
      '138012 holds until the provider says',
      [reply(), refused('dial-refused', 138012, T0 + 5 * HOUR)],
      { allowed: false, reason: 'daily-limit', retryAtMs: T0 + 5 * HOUR },
    ],
    [
      '138013 holds for a day when the provider does not say',
      [refused('dial-refused', 138013)],
      { allowed: false, reason: 'country', retryAtMs: T0 + DAY },
    ],
    ['any other refusal teaches nothing', [refused('dial-refused', 138002)], { allowed: true }],
    [
      'a user who could not be reached and then writes can be called',
      [refused('dial-refused', 138001), { type: 'message', atMs: T0 + 1 }],
      { allowed: true },
    ],
    [
      'a user who granted permission on the way is called after a refusal',
      [refused('dial-refused', 138006), reply({ atMs: T0 + 1000 })],
      { allowed: true },
    ],
    [
      'the provider says that nothing is left today',
      [
        snapshot(T0, {
          status: 'permanent',
          callLimits: [{ period: 'PT24H', allowed: 100, used: 100, untilMs: T0 + 6 * HOUR }],
        }),
      ],
      { allowed: false, reason: 'daily-limit', retryAtMs: T0 + 6 * HOUR },
    ],
    [
      'a permission is enough when the provider says no more',
      [snapshot(T0, { status: 'permanent', canCall: null, canAsk: null })],
      { allowed: true },
    ],
    [
      'the provider lifts what it refused before',
      [refused('dial-refused', 138013), snapshot(T0 + 1, { status: 'permanent', canCall: true })],
      { allowed: true },
    ],
  ])('%s', (_name, facts, answer) => {
    expect(mayCall(after(facts), T0 + HOUR)).toEqual(answer);
  });

  it('ends with the permission, 168 h after the approval when nothing else is said', () => {
    const ledger = after([reply({ expiresAtMs: null })]);
    expect(mayCall(ledger, T0 + 7 * DAY - 1)).toEqual({ allowed: true });
    expect(mayCall(ledger, T0 + 7 * DAY)).toMatchObject({ reason: 'expired' });
  });

  it('is revoked by the fourth unanswered call in a row, not by the third', () => {
    const three = after([reply(), miss(1), miss(2, 'rejected'), miss(3)]);
    expect([three.unanswered, mayCall(three, T0 + HOUR).allowed]).toEqual([3, true]);
    expect(mayCall(apply(three, miss(4), T0 + HOUR), T0 + HOUR)).toMatchObject({
      reason: 'revoked',
    });
  });

  it('counts one call once, and a connected one, either way, starts the count anew', () => {
    const twice = after([reply(), miss(1), miss(1), miss(1), miss(1)]);
    expect(twice.unanswered).toBe(1);
    const inbound = apply(
      twice,
      { type: 'inbound', atMs: T0 + 9000, isConnected: true },
      T0 + HOUR,
    );
    expect(inbound.unanswered).toBe(0);
    // Told late, but it happened before.
    expect(apply(inbound, miss(2), T0 + HOUR).unanswered).toBe(0);
  });
});

describe('asking', () => {
  const request = (id: string, atMs: number): Fact => ({ type: 'requested', atMs, messageId: id });

  it('needs a template unless the window is open', () => {
    expect(mayAsk(EMPTY_LEDGER, T0)).toEqual({ allowed: true, form: 'template' });
    const ledger = after([{ type: 'inbound', atMs: T0, isConnected: false }]);
    expect(mayAsk(ledger, T0 + DAY - 1)).toEqual({ allowed: true, form: 'text' });
    expect(mayAsk(ledger, T0 + DAY)).toEqual({ allowed: true, form: 'template' });
  });

  it('is possible once in 24 h and twice in 7 days', () => {
    const once = after([request('a', T0)]);
    expect(mayAsk(once, T0 + HOUR)).toMatchObject({ reason: 'request-limit', retryAtMs: T0 + DAY });
    const twice = apply(once, request('b', T0 + 2 * DAY), T0 + 2 * DAY);
    expect(mayAsk(twice, T0 + 4 * DAY)).toMatchObject({ retryAtMs: T0 + 7 * DAY });
    expect(mayAsk(twice, T0 + 7 * DAY).allowed).toBe(true);
  });

  it.each<[string, Fact]>([
    ['a connected call', { type: 'outbound', atMs: T0 + HOUR, callId: 'c', outcome: 'connected' }],
    ['a connected call of the user', { type: 'inbound', atMs: T0 + HOUR, isConnected: true }],
    ['the word of the provider', snapshot(T0 + HOUR)],
  ])('is possible again after %s', (_name, fact) => {
    const ledger = apply(
      after([request('a', T0), refused('request-refused', 138009)]),
      fact,
      T0 + 2 * HOUR,
    );
    expect(mayAsk(ledger, T0 + 2 * HOUR).allowed).toBe(true);
  });

  it.each<[string, Fact, object]>([
    ['beside a permanent permission', reply({ isPermanent: true }), { reason: 'permanent-exists' }],
    [
      'when 138017 says that there is one',
      refused('request-refused', 138017),
      { reason: 'permanent-exists' },
    ],
    [
      'while a no can still be changed',
      reply({ isGranted: false }),
      { reason: 'declined', retryAtMs: T0 + 7 * DAY },
    ],
    [
      'after 138009',
      refused('request-refused', 138009, T0 + 9 * HOUR),
      { reason: 'request-limit', retryAtMs: T0 + 9 * HOUR },
    ],
    [
      'while calls are paused',
      refused('dial-refused', 138014, T0 + 9 * HOUR),
      { reason: 'paused' },
    ],
    [
      'when the provider says that the limit is reached',
      snapshot(T0, {
        canAsk: false,
        askLimits: [
          { period: 'PT24H', allowed: 1, used: 1, untilMs: T0 + 5 * HOUR },
          { period: 'P7D', allowed: 2, used: 2, untilMs: T0 + 50 * HOUR },
        ],
      }),
      { reason: 'request-limit', retryAtMs: T0 + 50 * HOUR },
    ],
  ])('is refused %s', (_name, fact, answer) => {
    expect(mayAsk(after([fact], T0 + 1000), T0 + 1000)).toMatchObject({
      allowed: false,
      ...answer,
    });
  });

  it('is possible after a no once the user and the business have talked', () => {
    const ledger = after([
      reply({ isGranted: false }),
      { type: 'inbound', atMs: T0 + 60_000, isConnected: true },
    ]);
    expect(mayAsk(ledger, T0 + HOUR).allowed).toBe(true);
  });

  it('knows which request an answer means', () => {
    const ledger = after([
      request('wamid.1', T0 - 5 * DAY),
      request('wamid.2', T0 - DAY),
      reply({ contextId: 'wamid.1', isGranted: false }),
    ]);
    expect(ledger.requests.map(({ answer }) => answer)).toEqual(['declined', null]);
  });

  it('with free text is over when the provider says so', () => {
    const ledger = after([
      { type: 'message', atMs: T0 - HOUR },
      refused('request-refused', 131047),
    ]);
    expect(mayAsk(ledger, T0 + 1)).toMatchObject({ form: 'template' });
  });
});

describe('order', () => {
  it('an answer of the provider from before a reply does not undo it', () => {
    // The reply of 12:00:00.9 says 12:00:00; the provider was asked at 12:00:00.5.
    const facts = [reply(), snapshot(T0 + 500)];
    expect(statusAt(after(facts), T0 + HOUR)).toBe('temporary');
    expect(statusAt(after(facts.toReversed()), T0 + HOUR)).toBe('temporary');
  });

  it('a snapshot that says why there is no permission no better keeps the reason', () => {
    const ledger = after([reply({ isGranted: false }), snapshot(T0 + 5000)]);
    expect(statusAt(ledger, T0 + HOUR)).toBe('declined');
  });

  const replies = fc.uniqueArray(
    fc.record({ s: fc.integer({ min: 0, max: 3000 }), kind: fc.integer({ min: 0, max: 3 }) }),
    { selector: ({ s }) => s, minLength: 1, maxLength: 8 },
  );
  const factsOf = (items: { s: number; kind: number }[]): Fact[] =>
    items.map(({ s, kind }) =>
      reply({
        atMs: T0 + s * 1000,
        messageId: `wamid.${s}`,
        isGranted: kind > 1,
        isPermanent: kind === 3,
        isAutomatic: kind === 0,
        expiresAtMs: T0 + s * 1000 + 7 * DAY,
      }),
    );

  it('of replies does not matter, nor how often each comes', () => {
    fc.assert(
      fc.property(
        replies.chain((items) =>
          fc.tuple(
            fc.constant(items),
            fc.shuffledSubarray([...items, ...items], { minLength: items.length * 2 }),
          ),
        ),
        ([items, shuffled]) => {
          const inOrder = factsOf(items.toSorted((a, b) => a.s - b.s));
          expect(after(factsOf(shuffled)).grant).toEqual(after(inOrder).grant);
        },
      ),
    );
  });
});

describe('any facts', () => {
  const atMs = fc.integer({ min: T0 - 10 * DAY, max: T0 + 10 * DAY });
  const id = fc.string({ maxLength: 600 });
  const code = fc.constantFrom(
    undefined,
    131047,
    138001,
    138006,
    138009,
    138012,
    138013,
    138014,
    138017,
    1,
  );
  const time = fc.option(atMs, { nil: undefined });
  const limits = fc.array(
    fc.record({
      period: fc.constant('P7D'),
      allowed: fc.nat(2),
      used: fc.nat(2),
      untilMs: fc.option(atMs),
    }),
    { maxLength: 3 },
  );
  const fact: fc.Arbitrary<Fact> = fc.oneof(
    fc.record({
      type: fc.constant('reply' as const),
      atMs,
      messageId: fc.option(id),
      contextId: fc.option(id),
      isGranted: fc.boolean(),
      isPermanent: fc.boolean(),
      expiresAtMs: fc.option(atMs),
      isAutomatic: fc.boolean(),
    }),
    fc.record({
      type: fc.constant('snapshot' as const),
      atMs,
      state: fc.record({
        status: fc.constantFrom('none' as const, 'temporary' as const, 'permanent' as const),
        expiresAtMs: fc.option(atMs),
        canAsk: fc.option(fc.boolean()),
        canCall: fc.option(fc.boolean()),
        askLimits: limits,
        callLimits: limits,
      }),
    }),
    fc.record({ type: fc.constant('requested' as const), atMs, messageId: id }),
    fc.record({
      type: fc.constantFrom('request-refused' as const, 'dial-refused' as const),
      atMs,
      code,
      retryAtMs: time,
    }),
    fc.record({
      type: fc.constant('outbound' as const),
      atMs,
      callId: id,
      outcome: fc.constantFrom('connected' as const, 'unanswered' as const, 'rejected' as const),
    }),
    fc.record({ type: fc.constant('inbound' as const), atMs, isConnected: fc.boolean() }),
    fc.record({ type: fc.constant('message' as const), atMs }),
  );

  it('give a small ledger, answers with a time in the future, and change nothing the second time', () => {
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 60 }), fact, (facts, last) => {
        const before = after(facts, T0);
        const ledger = apply(before, last, T0);
        expect(
          JSON.stringify(ledger).replaceAll(/[^\x20-\x7e]|\\u.{4}|\\./g, '.').length,
        ).toBeLessThan(6000);
        for (const answer of [mayCall(ledger, T0), mayAsk(ledger, T0)]) {
          if (!answer.allowed && answer.retryAtMs !== null)
            expect(answer.retryAtMs).toBeGreaterThan(T0);
        }
        expect(ledger.windowUntilMs ?? 0).toBeLessThanOrEqual(T0 + DAY);
        expect(apply(ledger, last, T0)).toEqual(ledger);
      }),
      { numRuns: 1000 },
    );
  });

  it('never let more than one request in 24 h nor two in 7 days pass without a connected call', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 3 * DAY }), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (waits) => {
        let nowMs = T0;
        let ledger = EMPTY_LEDGER;
        const sent: number[] = [];
        for (const wait of waits) {
          nowMs += wait;
          if (!mayAsk(ledger, nowMs).allowed) continue;
          sent.push(nowMs);
          ledger = apply(
            ledger,
            { type: 'requested', atMs: nowMs, messageId: `m${sent.length}` },
            nowMs,
          );
        }
        for (const [index, sentAtMs] of sent.entries()) {
          expect((sent[index + 1] ?? Infinity) - sentAtMs).toBeGreaterThanOrEqual(DAY);
          expect((sent[index + 2] ?? Infinity) - sentAtMs).toBeGreaterThanOrEqual(7 * DAY);
        }
      }),
    );
  });
});
