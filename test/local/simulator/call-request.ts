// The body of `POST /calls`, as far as it is the same for every action. Pure.
import type { CallAction } from './call-rules.ts';
import { invalidParameter } from './graph-error.ts';
import { asObject, checkProduct, type Body } from './json-body.ts';

/** An action on a call that exists. */
export type AskedAction = {
  readonly action: CallAction;
  readonly sdp: string | undefined;
  readonly opaque: string | undefined;
};

// Provider: "Calling API reference", read 2026-06: biz_opaque_callback_data has at most 512 characters.
const OPAQUE_LENGTH_MAX = 512;
const ACTIONS: readonly unknown[] = ['pre_accept', 'accept', 'reject', 'terminate'];

/** @throws GraphError 100 */
export function opaqueOf(body: Body): string | undefined {
  const opaque = body['biz_opaque_callback_data'];
  if (opaque === undefined) return undefined;
  if (typeof opaque === 'string' && opaque.length <= OPAQUE_LENGTH_MAX) return opaque;
  throw invalidParameter('biz_opaque_callback_data must be a string of at most 512 characters');
}

/**
 * What a request asks of an existing call, or `connect`.
 *
 * Provider: "Calling API reference", parameters of each action, read 2026-06.
 *
 * @throws GraphError 100 naming the first parameter that is wrong
 */
export function parseAction(body: Body): AskedAction | 'connect' {
  checkProduct(body);
  const action = body['action'];
  checkExtras(body, action);
  if (action === 'connect') return action;
  if (!ACTIONS.includes(action)) {
    throw invalidParameter('action must be one of connect, pre_accept, accept, reject, terminate');
  }
  const callId = body['call_id'];
  if (typeof callId !== 'string' || callId === '') throw invalidParameter('call_id is required');
  const takesAnswer = action === 'pre_accept' || action === 'accept';
  return {
    action: action as CallAction,
    opaque: opaqueOf(body),
    sdp: takesAnswer ? parseAnswerSession(body) : undefined,
  };
}

/** Provider: "Call recording" and "Call transcription", read 2026-08: with connect and accept, never with pre_accept. */
function checkExtras(body: Body, action: unknown): void {
  for (const name of ['recording', 'transcription']) {
    if (body[name] === undefined) continue;
    const { status } = asObject(body[name], name);
    if (action !== 'connect' && action !== 'accept') {
      throw invalidParameter(`${name} is taken with connect and accept only`);
    }
    if (status !== 'ENABLED' && status !== 'DISABLED') {
      throw invalidParameter(`${name}.status must be ENABLED or DISABLED`);
    }
  }
}

function parseAnswerSession(body: Body): string {
  const session = asObject(body['session'], 'session');
  if (session['sdp_type'] !== 'answer') {
    throw invalidParameter("session.sdp_type must be 'answer' for a user-initiated call");
  }
  const sdp = session['sdp'];
  if (typeof sdp !== 'string' || sdp === '') throw invalidParameter('session.sdp is required');
  return sdp;
}
