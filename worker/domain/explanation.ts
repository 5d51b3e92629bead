// What an explanation is made of and made from. Pure; `explain.ts` holds the explanations.
import type { Call } from './call.ts';
import type { TimelineEntry, TimelineType } from './decision.ts';
import type { EndedBy, OutcomeReason } from './outcome.ts';

/** The most likely cause of an end, for machines. `none`: it ended as calls do. */
export const LIKELY_CAUSES = [
  'none',
  // The path of the media.
  'no-public-path',
  'checks-unanswered',
  'handshake-failed',
  'media-stopped',
  'one-way-media',
  'no-audio',
  'poor-audio',
  'unusable-sdp',
  // Roomline and what it runs on.
  'relay-missing',
  'relay-overloaded',
  'relay-gone',
  'livekit-unreachable',
  'livekit-refused',
  'room-closed',
  'internal-error',
  // The people.
  'nobody-answered',
  'answered-too-late',
  'agent-not-ready',
  'agent-connection',
  'user-not-reached',
  'user-connection',
  // The provider, and what it asks of the business.
  'late-webhook',
  'provider-error',
  'provider-unreachable',
  'token',
  'permission',
  'limit',
  'number-settings',
  'account',
] as const;
export type LikelyCause = (typeof LIKELY_CAUSES)[number];

/** A call that is over, as far as explaining its end needs it. */
export interface EndedCall extends Pick<
  Call,
  'direction' | 'providerCallId' | 'offeredAtMs' | 'answeredAtMs' | 'quality'
> {
  readonly reason: OutcomeReason;
  readonly endedBy: EndedBy;
  readonly detail: string | undefined;
  /** The provider's error code. */
  readonly code: number | undefined;
  readonly endedAtMs: number;
}

/** What the explanations look at. */
export interface Facts {
  readonly call: EndedCall;
  /** The outcome's; empty when it has none. */
  readonly detail: string;
  /** The provider's error code. */
  readonly code: number | undefined;
  /** How the WhatsApp user is called: whoever calls is the caller. */
  readonly user: 'caller' | 'user';
  /** From the answer to the end; null for a call that nobody answered. */
  readonly talkMs: number | null;
  /** From the announcement to the end. */
  readonly lastedMs: number;
  /** The connection to the provider's media once stood. */
  readonly isMediaUp: boolean;
  readonly has: (type: TimelineType) => boolean;
}

export interface Verdict {
  readonly cause: LikelyCause;
  /** One or two sentences for whoever helps the people in the call. */
  readonly text: string;
  /** The provider's support may be able to tell more. */
  readonly isForProvider: boolean;
}

export const ours = (cause: LikelyCause, text: string): Verdict => ({
  cause,
  text,
  isForProvider: false,
});

export const theirs = (cause: LikelyCause, text: string): Verdict => ({
  cause,
  text,
  isForProvider: true,
});

/** Details of the provider's refusals begin with its code: `138007: text`. */
const LEADING_CODE = /^(\d{1,6}): /;

export function factsOf(call: EndedCall, timeline: readonly TimelineEntry[]): Facts {
  const { answeredAtMs, offeredAtMs, endedAtMs, quality, detail = '' } = call;
  const written = LEADING_CODE.exec(detail)?.[1];
  const types = new Set(timeline.map(({ type }) => type));
  return {
    call,
    detail,
    code: call.code ?? (written === undefined ? undefined : Number(written)),
    user: call.direction === 'inbound' ? 'caller' : 'user',
    talkMs: answeredAtMs === null ? null : Math.max(0, endedAtMs - answeredAtMs),
    lastedMs: Math.max(0, endedAtMs - offeredAtMs),
    // The relay counts packets only of a connection that stood.
    isMediaUp: quality !== null || types.has('media-up'),
    has: (type) => types.has(type),
  };
}

/** A duration as people say it: `9 s`, `2 min 5 s`. */
export function spoken(ms: number): string {
  const s = Math.round(ms / 1000);
  return s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
}
