// A call as the control API shows it.
import type { Ending, GraphRecord, SimulatedCall, TimelineEntry } from './call.ts';
import type { Phase } from './call-rules.ts';
import type { WebhookRecord } from './delivery.ts';
import type { HeardReport } from './hearing.ts';
import type { IceCounts } from './ice-lite.ts';
import type { Violation } from './media.ts';
import { OutboundCall } from './outbound-call.ts';

/** One line of the list of calls. Times in ms since the epoch. */
export type CallSummary = {
  /** The simulator's own id, such as `c1`. */
  id: string;
  wacid: string;
  direction: 'inbound' | 'outbound';
  /** Id of the business number. */
  numberId: string;
  /** Digits of who calls, or null for a caller without a visible phone number. */
  from: string | null;
  /** Digits of who is called, or null for a user without a visible phone number. */
  to: string | null;
  /** Placed by another app of the account. */
  isForeign: boolean;
  /** Of the user, whoever calls. */
  name: string;
  userId: string;
  state: Phase;
  createdAtMs: number;
  /** When ICE and DTLS were up. */
  mediaAtMs: number | null;
  acceptedAtMs: number | null;
  endedAtMs: number | null;
  ended: Ending | null;
  violations: Violation[];
};

/** Everything known of one call. */
export type CallView = CallSummary & {
  timeline: TimelineEntry[];
  webhooks: WebhookRecord[];
  graph: GraphRecord[];
  heard: HeardReport;
  /** What the user's phone sent; null for a browser. */
  said: { packets: number; firstPacketAtMs: number | null; ssrc: number } | null;
  /** What the phone's ICE agent saw; null for a browser. */
  ice: IceCounts | null;
  offer: string;
  answer: string | null;
  /** What Meta tolerates in the business's SDP, offer or answer, but recommends against. */
  answerWarnings: readonly string[];
  opaque: string | null;
};

export function summaryOf(call: SimulatedCall): CallSummary {
  const { id, wacid, caller, media, number } = call.options;
  const [user, business] = [caller.from ?? null, number.identity.displayPhoneNumber];
  const isInbound = call.direction === 'inbound';
  return {
    id,
    wacid,
    direction: call.direction,
    numberId: number.id,
    from: isInbound ? user : business,
    to: isInbound ? business : user,
    isForeign: call instanceof OutboundCall && call.isForeign,
    name: caller.name,
    userId: caller.userId,
    state: call.phase,
    createdAtMs: call.createdAtMs,
    mediaAtMs: media.connectedAtMs,
    acceptedAtMs: call.acceptedAtMs,
    endedAtMs: call.endedAtMs,
    ended: call.ending ?? null,
    violations: call.violations(),
  };
}

export function viewOf(call: SimulatedCall): CallView {
  const { media } = call.options;
  return {
    ...summaryOf(call),
    timeline: call.timeline,
    webhooks: call.webhooks,
    graph: call.graph,
    heard: call.heard(),
    said: media.said?.() ?? null,
    ice: media.ice?.() ?? null,
    offer: media.offer,
    answer: call.answer ?? null,
    answerWarnings: media.answerWarnings,
    opaque: call.opaque ?? null,
  };
}
