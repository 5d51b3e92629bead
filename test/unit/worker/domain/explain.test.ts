import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DirectionQuality } from '../../../../worker/domain/call.ts';
import type { TimelineEntry, TimelineType } from '../../../../worker/domain/decision.ts';
import { explain } from '../../../../worker/domain/explain.ts';
import {
  LIKELY_CAUSES,
  type EndedCall,
  type LikelyCause,
} from '../../../../worker/domain/explanation.ts';
import { OUTCOME_REASONS, type OutcomeReason } from '../../../../worker/domain/outcome.ts';

const WACID = 'wacid.1';
const direction = (packets: number) => ({ packets, lost: 0, jitter_ms: 1, filled: 0 });
const counted = (fromCaller: number, toCaller: number): EndedCall['quality'] => ({
  from_caller: direction(fromCaller),
  to_caller: direction(toCaller),
});

/** Two voices that flowed, with figures that differ. */
const rated = (
  fromCaller: Partial<DirectionQuality>,
  toCaller: Partial<DirectionQuality>,
): EndedCall['quality'] => ({
  from_caller: { ...direction(3_000), ...fromCaller },
  to_caller: { ...direction(3_000), ...toCaller },
});

/** An inbound call that nobody answered, 20 s long. */
const unanswered = (reason: OutcomeReason, change: Partial<EndedCall> = {}): EndedCall => ({
  direction: 'inbound',
  providerCallId: WACID,
  reason,
  endedBy: 'system',
  detail: undefined,
  code: undefined,
  offeredAtMs: 1_000,
  answeredAtMs: null,
  endedAtMs: 21_000,
  quality: null,
  ...change,
});

/** One that was answered after 10 s and connected for a minute; both voices flowed. */
const connected = (reason: OutcomeReason, change: Partial<EndedCall> = {}): EndedCall =>
  unanswered(reason, {
    answeredAtMs: 11_000,
    endedAtMs: 71_000,
    quality: counted(3_000, 3_000),
    ...change,
  });

const timeline = (...types: TimelineType[]): TimelineEntry[] => types.map((type) => ({ type }));

const reasons = Object.keys(OUTCOME_REASONS) as OutcomeReason[];

describe.each(reasons)('%s', (reason) => {
  it.each([
    ['unanswered', unanswered(reason)],
    ['connected', connected(reason)],
    ['with a detail', unanswered(reason, { detail: '138999: some text' })],
  ])('is explained: %s', (_name, call) => {
    const { text, cause } = explain(call);
    expect(LIKELY_CAUSES).toContain(cause);
    // One or two sentences, whole ones.
    expect(text).toMatch(/^[A-Z][^.]{15,}.*[.]$/);
    expect(text).not.toMatch(/undefined|null|\(\)|: \.|\.\./);
    expect(text.split(/\. (?=[A-Z])/).length).toBeLessThanOrEqual(2);
  });
});

type Case = [name: string, call: EndedCall, entries: TimelineEntry[], cause: LikelyCause];

const MEDIA: Case[] = [
  [
    'no port or address: nothing was sent',
    unanswered('media-failed', { detail: 'no local port or address for media' }),
    timeline('offered'),
    'no-public-path',
  ],
  [
    'no address of the provider can be used: nothing was sent',
    unanswered('media-failed', { detail: 'no usable remote candidate' }),
    timeline('offered', 'relay-answered', 'ringing'),
    'no-public-path',
  ],
  [
    'checks without an answer',
    unanswered('media-failed', { detail: 'not connected within 20 s' }),
    timeline('offered', 'relay-answered', 'ringing'),
    'checks-unanswered',
  ],
  [
    'a handshake that fails before the 20 s are over',
    unanswered('media-failed', { detail: 'failed' }),
    timeline('offered', 'relay-answered', 'ringing'),
    'handshake-failed',
  ],
  [
    'a handshake that nobody answers',
    unanswered('media-failed', { detail: 'handshake not done within 20 s' }),
    timeline('offered', 'relay-answered', 'ringing'),
    'handshake-failed',
  ],
  [
    'no media for the phone, and no connection of ours ever',
    connected('provider-ended', { detail: '138021: Media receive timeout', quality: null }),
    timeline('ringing', 'answered'),
    'checks-unanswered',
  ],
  [
    'no media for the phone, while the caller was heard',
    connected('provider-ended', { detail: '138021: Media receive timeout' }),
    timeline('ringing', 'media-up', 'answered'),
    'one-way-media',
  ],
  [
    'no media for the phone, and none from it either',
    connected('provider-ended', {
      detail: '138021: Media receive timeout',
      quality: counted(20, 3_000),
    }),
    timeline('ringing', 'media-up', 'answered'),
    'media-stopped',
  ],
  [
    'media that worked and stopped',
    connected('media-lost', {
      detail: 'nothing received for 30 s',
      quality: counted(1_500, 3_000),
    }),
    timeline('media-up', 'answered', 'media-lost'),
    'media-stopped',
  ],
  [
    'a connection that broke',
    connected('media-lost', { detail: 'disconnected' }),
    timeline('media-up', 'answered', 'media-lost'),
    'media-stopped',
  ],
  [
    'nothing from the caller, ever',
    connected('media-lost', { detail: 'nothing received for 30 s', quality: counted(0, 3_000) }),
    timeline('media-up', 'answered', 'media-lost'),
    'one-way-media',
  ],
  [
    'a caller who hears nothing and hangs up',
    connected('caller-hung-up', { quality: counted(3_000, 12) }),
    [],
    'one-way-media',
  ],
  [
    'a caller whom nobody hears, and the agent hangs up',
    connected('agent-hung-up', { endedBy: 'agent', quality: counted(59, 3_000) }),
    [],
    'one-way-media',
  ],
  [
    'a caller who lost much on the way from WhatsApp',
    connected('agent-hung-up', { endedBy: 'agent', quality: rated({ lost: 400, mos: 2.6 }, {}) }),
    [],
    'poor-audio',
  ],
  [
    'a caller who was sent much that did not arrive',
    connected('caller-hung-up', {
      quality: rated({}, { mos: 2.6, receiver: { packets: 3_000, lost: 400, jitter_ms: 2 } }),
    }),
    [],
    'poor-audio',
  ],
  [
    'a room whose voice came in pieces',
    connected('caller-hung-up', { quality: rated({}, { lost: 400, mos: 2.6 }) }),
    [],
    'poor-audio',
  ],
  [
    'a way that was too long to talk',
    connected('caller-hung-up', { quality: rated({ mos: 2.9 }, { mos: 2.9 }) }),
    [],
    'poor-audio',
  ],
  [
    'a call that sounded fair',
    connected('caller-hung-up', { quality: rated({ lost: 100, mos: 3.5 }, { mos: 3.9 }) }),
    [],
    'none',
  ],
  ['no voice either way', connected('caller-hung-up', { quality: counted(0, 0) }), [], 'no-audio'],
  [
    'a little of both voices is a quiet call',
    connected('caller-hung-up', { quality: counted(60, 60) }),
    [],
    'none',
  ],
  [
    'a call too short to tell',
    connected('caller-hung-up', { endedAtMs: 13_000, quality: counted(100, 0) }),
    [],
    'none',
  ],
];

const PROVIDER: Case[] = [
  [
    'a code that nobody knows',
    connected('provider-ended', { detail: '138999: text' }),
    [],
    'provider-error',
  ],
  [
    'a phone that stops sending',
    connected('provider-ended', { detail: '138022: text' }),
    [],
    'user-connection',
  ],
  ['no payment method', unanswered('provider-ended', { detail: '131044: text' }), [], 'account'],
  [
    'an expired token at the accept',
    unanswered('accept-failed', { detail: '190: expired' }),
    [],
    'token',
  ],
  [
    'a token of the outcome itself',
    unanswered('pre-accept-refused', { code: 0, detail: 'no code in the text' }),
    [],
    'token',
  ],
  [
    'an accept after the phone gave up',
    unanswered('accept-failed', { detail: '138007: SDP not applied in time' }),
    [],
    'answered-too-late',
  ],
  [
    'an accept without a reply',
    unanswered('accept-failed', { detail: 'no reply in time' }),
    [],
    'provider-unreachable',
  ],
  [
    'an accept that is refused',
    unanswered('accept-failed', { detail: '138008: SDP Validation error' }),
    [],
    'provider-error',
  ],
];

const PEOPLE: Case[] = [
  ['nobody at work', unanswered('no-answer'), timeline('offered', 'ringing'), 'nobody-answered'],
  [
    'a claim that came to nothing',
    unanswered('no-answer'),
    timeline('offered', 'ringing', 'claimed', 'claim-released'),
    'agent-not-ready',
  ],
  [
    'a caller who waits in vain',
    unanswered('caller-gave-up'),
    timeline('offered', 'ringing'),
    'nobody-answered',
  ],
  [
    'a caller who hangs up while the answer is under way',
    unanswered('caller-gave-up'),
    timeline('offered', 'ringing', 'claimed', 'ready'),
    'answered-too-late',
  ],
  [
    'a caller who hangs up at once',
    unanswered('caller-gave-up', { endedAtMs: 2_000 }),
    timeline('terminated-before-offer', 'ended'),
    'none',
  ],
  [
    'a caller whom nobody was rung for in 20 s',
    unanswered('caller-gave-up'),
    timeline('offered'),
    'relay-overloaded',
  ],
];

const OWN: Case[] = [
  [
    'a full relay',
    unanswered('no-relay', { detail: 'all 50 taken' }),
    timeline('offered'),
    'relay-overloaded',
  ],
  ['no relay at all', unanswered('no-relay'), [], 'relay-missing'],
  [
    'a relay that was told to stop',
    connected('relay-failed', { detail: 'relay stopped' }),
    [],
    'relay-gone',
  ],
  [
    'a bug of the relay',
    connected('relay-failed', { detail: 'unknown call' }),
    [],
    'internal-error',
  ],
  [
    'wrong keys, said to the worker',
    unanswered('room-failed', { detail: 'LiveKit: invalid token' }),
    [],
    'livekit-refused',
  ],
  [
    'wrong keys, said to the relay',
    unanswered('room-failed', { detail: 'join: refused with 401' }),
    [],
    'livekit-refused',
  ],
  [
    'a LiveKit that nobody reaches',
    unanswered('room-failed', { detail: 'join: connect ECONNREFUSED 127.0.0.1:7880' }),
    [],
    'livekit-unreachable',
  ],
  [
    'a LiveKit whose media nobody reaches',
    unanswered('room-failed', { detail: 'not connected in time' }),
    [],
    'livekit-unreachable',
  ],
];

it.each([...MEDIA, ...PROVIDER, ...PEOPLE, ...OWN])(
  'tells apart: %s',
  (_name, call, entries, cause) => {
    expect(explain(call, entries).cause).toBe(cause);
  },
);

it('has no cause that nothing leads to', () => {
  const calls = [...MEDIA, ...PROVIDER, ...PEOPLE, ...OWN].map(([, call, entries]) =>
    explain(call, entries),
  );
  const reached = new Set(
    [...calls, ...reasons.map((reason) => explain(unanswered(reason)))].map(({ cause }) => cause),
  );
  expect([...LIKELY_CAUSES].filter((cause) => !reached.has(cause))).toEqual([]);
});

it('says how long, in words', () => {
  expect(explain(connected('caller-hung-up')).text).toBe('The caller hung up after 1 min 0 s.');
  expect(explain(unanswered('no-answer', { endedAtMs: 27_000 })).text).toContain('within 26 s');
});

it('calls the WhatsApp user a caller only where they called', () => {
  const detail = 'nothing received for 30 s';
  expect(explain(connected('media-lost', { detail })).text).toContain("caller's phone");
  const outbound = explain(connected('media-lost', { detail, direction: 'outbound' })).text;
  expect(outbound).toContain("user's phone");
  expect(outbound).not.toContain('caller');
});

it('tells the silence of the room from the silence of the phone', () => {
  const ofRoom = explain(connected('caller-hung-up', { quality: counted(3_000, 0) }));
  expect(ofRoom.text).toContain("agent's microphone");
  expect(ofRoom.quote).toBeNull();
  const ofPhone = explain(connected('caller-hung-up', { quality: counted(0, 3_000) }));
  expect(ofPhone.text).toContain('could not be heard');
  expect(ofPhone.quote).toBe(WACID);
});

it('gives something to quote where the provider may know more, and only there', () => {
  expect(explain(connected('provider-ended', { detail: '138999: text' })).quote).toBe(WACID);
  expect(explain(unanswered('dial-refused', { providerCallId: null })).quote).toBeNull();
  expect(explain(unanswered('relay-lost')).quote).toBeNull();
  expect(explain(connected('caller-hung-up')).quote).toBeNull();
});

it('is what README.md shows', () => {
  const readme = readFileSync(join(import.meta.dirname, '../../../../README.md'), 'utf8');
  const examples = [...readme.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  const shown = JSON.parse(examples.find((text) => text.includes('likely_cause')) ?? '') as {
    outcome: { reason: OutcomeReason; detail: string };
    answered_at: string;
    ended_at: string;
    quality: EndedCall['quality'];
    explanation: string;
    likely_cause: string;
    quote: string;
  };
  const call = connected(shown.outcome.reason, {
    detail: shown.outcome.detail,
    answeredAtMs: Date.parse(shown.answered_at),
    endedAtMs: Date.parse(shown.ended_at),
    quality: shown.quality,
    providerCallId: shown.quote,
  });
  expect(explain(call)).toEqual({
    text: shown.explanation,
    cause: shown.likely_cause,
    quote: shown.quote,
  });
});
