// A call as outsiders see it: snake_case, ISO 8601 times. One shape for the API and for the event stream.
import { z } from '@hono/zod-openapi';
import { CALL_STATES, isControlLost, wanted, type Call, type Claim } from './domain/call.ts';
import type { TimelineEntry } from './domain/decision.ts';
import { explain } from './domain/explain.ts';
import { FOLLOW_UPS, searchOf } from './domain/flow.ts';
import { LIKELY_CAUSES } from './domain/explanation.ts';
import { ringsOf, SUPERVISION_MODES, transferIn, type Party } from './domain/people.ts';
import { OUTCOME_REASONS, REMEDIES } from './domain/outcome.ts';
import { isAnnouncing, QUIET } from './domain/step-audio.ts';
import { orNull } from './or-null.ts';
import { qualityView } from './quality-view.ts';

const time = z.iso.datetime().openapi({ description: 'UTC' });
export const contactView = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    phone: z.string().nullable().openapi({
      description: 'E.164 digits without plus; null for users who hide their number',
      example: '351910000001',
    }),
  })
  .openapi('Contact');
export type ContactView = z.infer<typeof contactView>;

export const outcomeView = z
  .object({
    result: z.enum(['success', 'client_error', 'upstream_error', 'server_error', 'indeterminate']),
    reason: z.enum(Object.keys(OUTCOME_REASONS) as [keyof typeof OUTCOME_REASONS]),
    ended_by: z.enum(['caller', 'agent', 'api', 'provider', 'livekit', 'system']),
    detail: z.string().optional(),
    provider_code: z.int().optional().openapi({ description: "The provider's error code" }),
    remedy: z.string().optional().openapi({ description: 'What to do next' }),
    retry_at: time.optional().openapi({ description: 'When the provider allows another try' }),
  })
  .openapi('Outcome');

export const recordingView = z
  .object({
    duration_ms: z.int(),
    bytes: z.int(),
    sha256: z.string().openapi({
      description: 'Of its Opus packets, hex, as the relay counted it while it was recording',
    }),
    expires_at: time.nullable().openapi({ description: 'Deleted then; null: kept for ever' }),
  })
  .openapi('Recording');
export type RecordingView = z.infer<typeof recordingView>;

const partyView = z
  .object({
    identity: z.string().openapi({ description: 'In the room' }),
    agent_id: z.string(),
    name: z.string(),
    part: z.enum(['consulted', 'added', 'supervisor']),
    mode: z.enum(SUPERVISION_MODES).nullable().openapi({ description: 'Of a supervisor' }),
    there: z.boolean().openapi({
      description: 'They were seen in the room. Of a supervisor who only listens that is not known',
    }),
  })
  .openapi('Party');
type PartyView = z.infer<typeof partyView>;

export const callView = z
  .object({
    id: z.string(),
    state: z.enum(CALL_STATES).exclude(['tombstone']),
    direction: z.enum(['inbound', 'outbound']),
    number_id: z.string(),
    provider_call_id: z.string().nullable(),
    room: z.string(),
    contact: orNull(contactView),
    payload: z.string().nullable().openapi({
      description: 'What the button or link carried that started the call',
    }),
    connect: z
      .union([
        z.object({ agent_id: z.string() }),
        z.object({ ai: z.object({ name: z.string(), metadata: z.string() }) }),
        z.object({ room: z.literal(true) }),
      ])
      .nullable()
      .openapi({ description: 'Whom a call of the business connects; null for calls of users' }),
    claimed_by: z.object({ agent_id: z.string(), name: z.string() }).nullable(),
    ai: z.object({ name: z.string(), identity: z.string() }).nullable().openapi({
      description:
        'The AI agent that speaks with the caller: its name and its identity in the room',
    }),
    rule: z.string().nullable().openapi({ description: 'The rule that took the call' }),
    step: z
      .enum(['ring', 'ai', 'menu', 'queue', 'callback', 'play', 'voicemail', 'ask'])
      .nullable()
      .openapi({
        description:
          'Where it is in its rule; null while somebody speaks with the caller. `callback`: the caller left the queue to be called back',
      }),
    team_id: z.string().nullable().openapi({ description: 'The team that it was last routed to' }),
    ringing_for: z.array(z.string()).nullable().openapi({
      description: 'Ids of the agents who are rung now; null where every agent may take the call',
    }),
    ring_purpose: z
      .enum(['call', 'transfer', 'consultation', 'conference'])
      .nullable()
      .openapi({ description: 'What those are asked for who are rung now; null while nobody is' }),
    transferred_by: z
      .object({ agent_id: z.string(), name: z.string() })
      .nullable()
      .openapi({ description: 'Who hands the call over, until somebody has taken it' }),
    summary: z.string().nullable().openapi({
      description: 'What whoever handed the call over says of it; until the call is over',
    }),
    people: z.array(partyView).openapi({
      description: 'Colleagues and supervisors in the call, besides the agent who has it',
    }),
    tags: z.array(z.string()),
    disposition: z.string().nullable().openapi({ description: 'What came of the call' }),
    waiting_since: time.nullable().openapi({
      description: 'Since when the caller waits for somebody of the present step',
    }),
    talked_at: time.nullable().openapi({
      description: 'When somebody first spoke with the caller',
    }),
    follow_up: z.enum(FOLLOW_UPS).nullable().openapi({
      description: 'Somebody should get back to the caller',
    }),
    followed_up_at: time.nullable().openapi({
      description: 'When somebody said that they have; events do not tell it',
    }),
    offered_at: time,
    created_at: time,
    answer_by: time.openapi({ description: 'By then the call is answered or rejected' }),
    ringing_at: time.nullable(),
    is_control_lost: z.boolean().openapi({
      description: 'Nothing is heard of the relay; people in the call hear each other all the same',
    }),
    answered_at: time.nullable(),
    ended_at: time.nullable(),
    outcome: orNull(outcomeView),
    billed_seconds: z.int().nullable().openapi({
      description: 'From pickup in steps of 6 s; 0 for calls of users, null while unknown',
    }),
    estimated_cost: z
      .object({ micros: z.int(), currency: z.string() })
      .nullable()
      .openapi({ description: 'By the loaded rate card; null without a rate' }),
    quality: orNull(qualityView).openapi({
      description: 'Known once the relay has closed the call; `GET /v1/events` tells it meanwhile',
    }),
    held: z.boolean().openapi({ description: 'The caller hears the hold sound and is not heard' }),
    playing: z
      .object({
        prompt_id: z.string(),
        loop: z.boolean(),
        announcement: z.boolean().openapi({
          description: 'It says that the call is recorded, and cannot be stopped or replaced',
        }),
      })
      .nullable()
      .openapi({ description: 'What the caller hears instead of the room' }),
    recording_state: z.enum(['off', 'on', 'paused']),
    recording: orNull(recordingView).openapi({
      description:
        'Known once the relay has brought it, after the call. Of the events only `recording-kept` has it',
    }),
  })
  .openapi('Call');
export type CallView = z.infer<typeof callView>;

const entryView = z
  .object({
    at: time,
    type: z.string().openapi({ example: 'ringing' }),
    detail: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
  })
  .openapi('TimelineEntry');

/** One call with all that is known of it. */
export const callDetailsView = callView
  .extend({
    explanation: z.string().nullable().openapi({
      description: 'Why it ended as it did, in one or two sentences; null until it has an outcome',
      example:
        'The call was not answered within 26 s. No agent had taken it: check that enough are at work.',
    }),
    likely_cause: z.enum(LIKELY_CAUSES).nullable().openapi({
      description: 'The same for machines; `none` when it ended as calls do',
    }),
    quote: z.string().nullable().openapi({
      description: "What to quote to the provider's support; null where they cannot help",
    }),
    timeline: z.array(entryView),
  })
  .openapi('CallWithTimeline');
type CallDetailsView = z.infer<typeof callDetailsView>;

export const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

/** @param call in any state but `tombstone`, which is never shown */
export function viewOfCall(
  call: Call,
  room: string,
  contact: ContactView | null,
  recording: RecordingView | null,
  followedUpAtMs: number | null,
): CallView {
  const { outcome, claim } = call;
  const audio = call.state === 'active' ? wanted(call).audio : QUIET;
  return {
    id: call.id,
    state: call.state as CallView['state'],
    direction: call.direction,
    number_id: call.numberId,
    provider_call_id: call.providerCallId,
    room,
    contact,
    payload: call.payload,
    connect: connectOf(call.target),
    claimed_by: agentViewOf(claim),
    ai: call.ai && { name: call.ai.name, identity: call.ai.identity },
    rule: call.flow?.rule ?? null,
    step: call.flow?.stage?.kind ?? null,
    team_id: call.teamId,
    ringing_for: ringingFor(call),
    ring_purpose: ringPurpose(call),
    transferred_by: agentViewOf(transferIn(call)?.from ?? null),
    summary: call.people.summary,
    people: call.people.parties.map(partyViewOf),
    tags: [...call.remarks.tags],
    disposition: call.remarks.disposition,
    waiting_since: isoOrNull(searchOf(call.flow)?.sinceMs ?? null),
    talked_at: isoOrNull(call.talkedAtMs),
    follow_up: call.followUp,
    followed_up_at: isoOrNull(followedUpAtMs),
    offered_at: iso(call.offeredAtMs),
    created_at: iso(call.createdAtMs),
    answer_by: iso(call.answerByMs),
    ringing_at: isoOrNull(call.ringingAtMs),
    is_control_lost: isControlLost(call),
    answered_at: isoOrNull(call.answeredAtMs),
    ended_at: isoOrNull(call.endedAtMs),
    outcome: outcome && {
      result: outcome.result,
      reason: outcome.reason,
      ended_by: outcome.endedBy,
      ...(outcome.detail === undefined ? {} : { detail: outcome.detail }),
      ...(outcome.code === undefined ? {} : { provider_code: outcome.code }),
      ...(REMEDIES[outcome.reason] === undefined ? {} : { remedy: REMEDIES[outcome.reason] }),
      ...(outcome.retryAtMs === undefined ? {} : { retry_at: iso(outcome.retryAtMs) }),
    },
    billed_seconds: billedSeconds(call),
    estimated_cost:
      call.charge?.costMicros === undefined || call.charge.currency === undefined
        ? null
        : { micros: call.charge.costMicros, currency: call.charge.currency },
    quality: call.quality,
    held: audio.isHeld,
    playing: audio.playing && {
      prompt_id: audio.playing.promptId,
      loop: audio.playing.isLoop,
      announcement: isAnnouncing(audio),
    },
    recording_state: audio.recording,
    recording,
  };
}

function ringingFor(call: Call): string[] | null {
  const { flow, state, claim, target } = call;
  if (!claim && searchOf(flow)?.isForEverybody) return null;
  if (!claim && state === 'ringing' && flow === null) {
    // A call of the business rings for the agent whom it is to connect.
    return target?.kind === 'agent' ? [target.agentId] : null;
  }
  return ringsOf(call).map(({ agentId }) => agentId);
}

function ringPurpose(call: Call): CallView['ring_purpose'] {
  if (call.people.asked)
    return call.people.asked.part === 'consulted' ? 'consultation' : 'conference';
  if (ringingFor(call)?.length === 0) return null;
  return transferIn(call) ? 'transfer' : 'call';
}

const agentViewOf = (claim: Claim | null): CallView['claimed_by'] =>
  claim && { agent_id: claim.agentId, name: claim.agentName };

const partyViewOf = ({ identity, agentId, name, part, mode, isThere }: Party): PartyView => ({
  identity,
  agent_id: agentId,
  name,
  part,
  mode,
  there: isThere,
});

/** @param timeline in the order of the decisions */
export function viewOfDetails(
  call: CallView,
  timeline: readonly (TimelineEntry & { readonly atMs: number })[],
): CallDetailsView {
  const explanation = explanationOf(call, timeline);
  return {
    ...call,
    explanation: explanation?.text ?? null,
    likely_cause: explanation?.cause ?? null,
    quote: explanation?.quote ?? null,
    timeline: timeline.map(({ atMs, type, detail }) => ({
      at: iso(atMs),
      type,
      ...(detail ? { detail: { ...detail } } : {}),
    })),
  };
}

const explanationOf = (call: CallView, timeline: readonly TimelineEntry[]) =>
  call.outcome &&
  explain(
    {
      direction: call.direction,
      providerCallId: call.provider_call_id,
      reason: call.outcome.reason,
      endedBy: call.outcome.ended_by,
      detail: call.outcome.detail,
      code: call.outcome.provider_code,
      offeredAtMs: Date.parse(call.offered_at),
      answeredAtMs: call.answered_at === null ? null : Date.parse(call.answered_at),
      endedAtMs: Date.parse(call.ended_at ?? call.offered_at),
      quality: call.quality,
    },
    timeline,
  );

/** Calls that users start are free. Provider: Calling API pricing, read 2026-09. */
function billedSeconds(call: Call): number | null {
  if (call.direction === 'inbound') return call.outcome ? 0 : null;
  return call.charge?.billedS ?? null;
}

function connectOf(target: Call['target']): CallView['connect'] {
  switch (target?.kind) {
    case 'agent':
      return { agent_id: target.agentId };
    case 'ai':
      return { ai: { name: target.name, metadata: target.metadata } };
    case 'room':
      return { room: true };
    case undefined:
      return null;
  }
}
