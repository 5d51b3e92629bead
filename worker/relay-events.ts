// What a relay reports, as an event of the call.
import type { BrokenEvent, RelayEvent, TransferRequest } from '../relay/protocol.ts';
import type { CallEvent } from './domain/call-event.ts';
import type { AgentId } from './domain/ids.ts';
import type { TransferTo } from './domain/people.ts';
import type { IceResult } from './ports.ts';

export function callEvent(event: RelayEvent): CallEvent {
  const { seq } = event;
  switch (event.type) {
    case 'answered':
    case 'offered':
      return { type: `relay.${event.type}`, seq, sdp: event.sdp };
    case 'media-up':
    case 'room-joined':
      return { type: `relay.${event.type}`, seq };
    case 'room-away':
      return { type: 'relay.room-away', seq, detail: event.detail };
    case 'participant-joined':
    case 'ready':
      return { type: `relay.${event.type}`, seq, identity: event.identity, aiName: event.ai_name };
    case 'publisher-skipped':
      return { type: `relay.${event.type}`, seq, identity: event.identity };
    case 'participant-left':
      return { type: 'relay.participant-left', seq, identity: event.identity, why: event.why };
    case 'played':
      return { type: 'relay.played', seq, playId: event.id, isComplete: event.completed };
    case 'recording-failed':
      return { type: 'relay.recording-failed', seq };
    case 'transfer-asked': {
      const { identity, request } = event;
      const summary = request.summary ?? null;
      return { type: 'relay.transfer-asked', seq, identity, to: receiverOf(request), summary };
    }
    case 'dtmf':
      return { type: 'relay.digit', seq, digit: event.digit };
    case 'ended':
      return {
        type: 'relay.ended',
        seq,
        reason: event.reason,
        detail: event.detail,
        quality: event.stats ?? null,
      };
  }
}

/** Exactly one member is there, as the schema has it. */
function receiverOf({ to: { team, agent_id, ai } }: TransferRequest): TransferTo {
  if (team !== undefined) return { kind: 'team', team };
  if (ai) return { kind: 'ai', name: ai.name, metadata: ai.metadata };
  return { kind: 'agent', agentId: agent_id as AgentId };
}

/**
 * What a refused event says all the same: a call whose last event is refused would otherwise never end.
 *
 * @param problem what is wrong with it, for people
 * @returns null for any event but an `ended`, and for one that names no call
 */
export function endOf(broken: BrokenEvent, problem: string, atMs: number): RelayEvent | null {
  const { type, seq, call_id, reason } = broken;
  if (type !== 'ended' || call_id === undefined) return null;
  const detail = `refused: ${problem}`;
  return { type, seq, at_ms: atMs, call_id, reason, detail };
}

/** What an event tells about the relay's way to the provider's media; null for most events. */
export function iceResult(event: RelayEvent, atMs: number): IceResult | null {
  if (event.type === 'ended') {
    return event.reason === 'media-failed' ? { atMs, isConnected: false } : null;
  }
  if (event.type !== 'media-up') return null;
  const { local, local_type, remote } = event.path ?? {};
  return { atMs, isConnected: true, local, localType: local_type, remote };
}
