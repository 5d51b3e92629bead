// `POST /calls` of both providers: logs the request, applies a fault if one is due, and acts.
import { setTimeout as delay } from 'node:timers/promises';
import type { GraphRecord, SimulatedCall } from './call.ts';
import { parseAction } from './call-request.ts';
import { checkCallingOn, dial } from './dial.ts';
import type { GraphFault } from './faults.ts';
import {
  errorBody,
  graphError,
  GraphError,
  invalidParameter,
  invalidToken,
} from './graph-error.ts';
import { cutConnection } from './http-server.ts';
import { parseObject, safeParse } from './json-body.ts';
import type { SimulatedNumber } from './numbers.ts';
import type { Platform } from './platform.ts';

/** Status and body of an answer; the HTTP face writes it down. */
export type Answer = { readonly status: number; readonly body: object };

const STRAYS_MAX = 200;
const SUCCESS: Answer = { status: 200, body: { messaging_product: 'whatsapp', success: true } };

/** @param text the request's body */
export async function answerCallAction(
  platform: Platform,
  number: SimulatedNumber,
  text: string,
): Promise<Response> {
  const body = safeParse(text);
  const named = (key: string) => (typeof body?.[key] === 'string' ? body[key] : '');
  const known = platform.calls.findByWacid(named('call_id'));
  const call = known?.options.number === number ? known : undefined;
  const action = named('action');
  const record: GraphRecord = {
    action,
    atMs: platform.now(),
    body: text,
    answeredAtMs: null,
    status: null,
    response: null,
  };
  if (call) call.graph.push(record);
  else if (action !== 'connect') keepStray(platform, record);
  const fault = call?.faults.takeGraph(action) ?? platform.faults.takeGraph(action);
  let dialed: SimulatedCall | undefined;
  const answer = await withFault(fault, number, async () => {
    const [carriedOut, made] = await carryOut(platform, number, call, text);
    dialed = made;
    made?.graph.push(record);
    return carriedOut;
  });
  if (action === 'connect' && !dialed) keepStray(platform, record);
  if (answer === 'cut') return cutConnection();
  record.answeredAtMs = platform.now();
  record.status = answer.status;
  record.response = JSON.stringify(answer.body);
  return Response.json(answer.body, { status: answer.status });
}

function keepStray({ strays }: Platform, record: GraphRecord): void {
  strays.push(record);
  strays.splice(0, strays.length - STRAYS_MAX);
}

/** Does what a fault says instead of, before or after `act`. */
export async function withFault(
  fault: GraphFault | undefined,
  number: SimulatedNumber,
  act: () => Promise<Answer>,
): Promise<Answer | 'cut'> {
  if (!fault) return act();
  const failed = (error: GraphError, isTransient = false) => failure(number, error, isTransient);
  switch (fault.kind) {
    case 'server-error':
      // Provider: Graph API "Handle errors", code 2: temporary, may be retried.
      return failed(new GraphError(500, 2, 'Service temporarily unavailable', 'fault'), true);
    case 'rate-limit':
      // Provider: Graph API "Rate limits", code 4.
      return failed(graphError(4, 'fault'), true);
    case 'token-expired':
      return failed(invalidToken('Session has expired'));
    case 'error':
      return failed(graphError(fault.code ?? 100, fault.details, { status: fault.status }));
    case 'success-false':
      return { status: 200, body: { messaging_product: 'whatsapp', success: false } };
    case 'slow': {
      const answer = await act();
      await delay(fault.delay_ms, undefined, { ref: false });
      return answer;
    }
    case 'act-then-drop':
      await act();
      await delay(fault.delay_ms, undefined, { ref: false });
      return 'cut';
    case 'drop':
      await delay(fault.delay_ms, undefined, { ref: false });
      return 'cut';
    default:
      throw new Error(`no such fault: ${String(fault.kind satisfies never)}`);
  }
}

/** Observed: 360dialog passes Meta's error on, or gives only a text. */
export function failure(number: SimulatedNumber, error: GraphError, isTransient = false): Answer {
  const isText = !number.isMeta && number.traits.error_style === 'string';
  const body = isText
    ? { error: `${error.message}: ${error.details}` }
    : errorBody(error, isTransient);
  return { status: error.status, body };
}

async function carryOut(
  platform: Platform,
  number: SimulatedNumber,
  call: SimulatedCall | undefined,
  text: string,
): Promise<[Answer, SimulatedCall | undefined]> {
  try {
    checkCallingOn(number);
    const body = parseObject(text);
    const asked = parseAction(body);
    if (asked === 'connect') {
      const made = await dial(platform, number, body);
      const calls = [{ id: made.options.wacid }];
      return [{ status: 200, body: { messaging_product: 'whatsapp', calls } }, made];
    }
    if (!call) throw invalidParameter(`Call ${String(body['call_id'])} does not exist`);
    await call.act(asked.action, asked.sdp, asked.opaque);
    return [SUCCESS, undefined];
  } catch (error) {
    if (error instanceof GraphError) return [failure(number, error), undefined];
    throw error;
  }
}
