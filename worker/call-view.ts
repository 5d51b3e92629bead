// A call as outsiders see it: snake_case, ISO 8601 times. One shape for the API and for the event stream.
import { z } from '@hono/zod-openapi';
import { CALL_STATES, type Call } from './domain/call.ts';
import { OUTCOME_REASONS } from './domain/outcome.ts';

const time = z.iso.datetime().openapi({ description: 'UTC' });
const direction = z.object({
  packets: z.int(),
  lost: z.int(),
  jitter_ms: z.number(),
  filled: z.int().openapi({ description: 'Silence packets made up where the source had nothing' }),
  first_audio_ms: z.number().optional().openapi({ description: 'From the opening of the path' }),
});

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
  })
  .openapi('Outcome');

export const callView = z
  .object({
    id: z.string(),
    state: z.enum(CALL_STATES).exclude(['tombstone']),
    direction: z.enum(['inbound']),
    number_id: z.string(),
    provider_call_id: z.string(),
    room: z.string(),
    contact: contactView.nullable(),
    payload: z.string().nullable().openapi({
      description: 'What the button or link carried that started the call',
    }),
    claimed_by: z.object({ agent_id: z.string(), name: z.string() }).nullable(),
    offered_at: time,
    created_at: time,
    answer_by: time.openapi({ description: 'By then the call is answered or rejected' }),
    ringing_at: time.nullable(),
    answered_at: time.nullable(),
    ended_at: time.nullable(),
    outcome: outcomeView.nullable(),
    quality: z
      .object({ from_caller: direction, to_caller: direction })
      .nullable()
      .openapi({ description: 'Known once the relay has closed the call' }),
  })
  .openapi('Call');
export type CallView = z.infer<typeof callView>;

export const iso = (ms: number): string => new Date(ms).toISOString();
const isoOrNull = (ms: number | null): string | null => (ms === null ? null : iso(ms));

/** @param call in any state but `tombstone`, which is never shown */
export function viewOfCall(call: Call, room: string, contact: ContactView | null): CallView {
  const { outcome, claim } = call;
  return {
    id: call.id,
    state: call.state as CallView['state'],
    direction: call.direction,
    number_id: call.numberId,
    provider_call_id: call.providerCallId,
    room,
    contact,
    payload: call.payload,
    claimed_by: claim && { agent_id: claim.agentId, name: claim.agentName },
    offered_at: iso(call.offeredAtMs),
    created_at: iso(call.createdAtMs),
    answer_by: iso(call.answerByMs),
    ringing_at: isoOrNull(call.ringingAtMs),
    answered_at: isoOrNull(call.answeredAtMs),
    ended_at: isoOrNull(call.endedAtMs),
    outcome: outcome && {
      result: outcome.result,
      reason: outcome.reason,
      ended_by: outcome.endedBy,
      ...(outcome.detail === undefined ? {} : { detail: outcome.detail }),
    },
    quality: call.quality,
  };
}
