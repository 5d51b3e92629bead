// Which call action Meta takes in which phase of a call. Pure.
import { invalidParameter, type GraphError } from './graph-error.ts';

/**
 * Of a user-initiated call: `offered` (ringing, no answer yet), `prepared` (pre-accepted, still ringing). Of a
 * business-initiated one: `dialing` (the phone does not ring yet), `ringing`. Of both: `live` (accepted), `ended` (for good).
 */
export type Phase = InboundPhase | 'dialing' | 'ringing';
export type InboundPhase = 'offered' | 'prepared' | 'live' | 'ended';
export type CallAction = 'pre_accept' | 'accept' | 'reject' | 'terminate';

/** What the decision depends on. */
export type Ringing = { readonly phase: Phase; readonly answer: string | undefined };

/**
 * Decides one action; whether the SDP itself is valid is judged elsewhere.
 *
 * Provider: "User-initiated calls", failure causes of each action, read 2026-06. What a repeated action gives is
 * undocumented; refusing it is the harder case for a client and therefore what the simulator does.
 *
 * @param sdp the answer that comes with pre_accept or accept
 * @returns the phase the call is in afterwards, or the error
 */
export function judge(call: Ringing, action: CallAction, sdp = ''): Phase | GraphError {
  if (call.phase === 'ended') return invalidParameter('Call has already ended');
  switch (action) {
    case 'pre_accept':
      if (call.phase === 'prepared') return invalidParameter('Call is already pre-accepted');
      if (call.phase === 'live') return invalidParameter('Call is already in progress');
      return 'prepared';
    case 'accept':
      if (call.phase === 'live') return invalidParameter('Call is already in progress');
      if (call.answer !== undefined && call.answer !== sdp) {
        return invalidParameter('SDP in accept differs from the SDP in pre_accept of this call');
      }
      return 'live';
    case 'reject':
      if (call.phase === 'live') return invalidParameter('Call is already in progress');
      return 'ended';
    case 'terminate':
      return 'ended';
    default:
      return invalidParameter(`no such action: ${String(action satisfies never)}`);
  }
}

/**
 * Decides one action on a business-initiated call.
 *
 * Provider: "Business-initiated calls", read 2026-06: `terminate` ends it, ringing or live; the others are for calls that ring
 * at the business.
 */
export function judgeOutbound(phase: Phase, action: CallAction): 'ended' | GraphError {
  if (phase === 'ended') return invalidParameter('Call has already ended');
  if (action === 'terminate') return 'ended';
  return invalidParameter(`${action} is not possible on a business-initiated call`);
}
