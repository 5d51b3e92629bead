// The Graph API's calling endpoints, with Meta's checks in Meta's order and shape.
import { setTimeout as delay } from 'node:timers/promises';
import { Hono, type Context } from 'hono';
import type { GraphRecord, SimulatedCall } from './call.ts';
import type { CallAction } from './call-rules.ts';
import type { Calls } from './calls.ts';
import type { FaultBox, GraphFault } from './faults.ts';
import { errorBody, GraphError, invalidParameter, invalidToken } from './graph-error.ts';
import { cutConnection } from './http-server.ts';

/** What the endpoints need. */
export type GraphDeps = {
  readonly calls: Calls;
  readonly faults: FaultBox;
  readonly accessToken: string;
  readonly phoneNumberId: string;
  readonly now: () => number;
  /** Requests that name no known call. */
  readonly strays: GraphRecord[];
};

type Body = Readonly<Record<string, unknown>>;
type Asked = {
  readonly action: CallAction;
  readonly sdp: string | undefined;
  readonly opaque: string | undefined;
};

const STRAYS_MAX = 200;
// Provider: "Calling API reference", read 2026-06: biz_opaque_callback_data has at most 512 characters.
const OPAQUE_LENGTH_MAX = 512;

/** `/{version}/{phone-number-id}/calls` and `/settings`. */
export function graphRoutes(deps: GraphDeps): Hono {
  const app = new Hono();
  const settings: { calling: Record<string, unknown> } = {
    calling: {
      status: 'ENABLED',
      call_icon_visibility: 'DEFAULT',
      callback_permission_status: 'DISABLED',
    },
  };
  app.onError((error, c) => {
    if (error instanceof GraphError)
      return c.json(errorBody(error), { status: error.status as 400 });
    throw error;
  });
  app.use('/:version{v\\d+\\.\\d+}/:number/*', async (c, next) => {
    if (c.req.header('authorization') !== `Bearer ${deps.accessToken}`) throw invalidToken();
    if (c.req.param('number') !== deps.phoneNumberId) {
      throw invalidParameter(`Object with ID '${c.req.param('number')}' does not exist`);
    }
    await next();
  });
  app.get('/:version{v\\d+\\.\\d+}/:number/settings', (c) => c.json(settings));
  app.post('/:version{v\\d+\\.\\d+}/:number/settings', async (c) => {
    const body = parseObject(await c.req.text());
    const calling = asObject(body['calling'], 'calling');
    const status = calling['status'];
    if (status !== undefined && status !== 'ENABLED' && status !== 'DISABLED') {
      throw invalidParameter('calling.status must be ENABLED or DISABLED');
    }
    settings.calling = { ...settings.calling, ...calling };
    return c.json({ success: true });
  });
  app.post('/:version{v\\d+\\.\\d+}/:number/calls', async (c) => {
    if (settings.calling['status'] !== 'ENABLED') {
      throw new GraphError(401, 138000, 'Calling not enabled', 'Calling API is not enabled');
    }
    return answerCallAction(deps, c, await c.req.text());
  });
  return app;
}

/** Logs the request, applies a fault if one is due, and acts. */
async function answerCallAction(deps: GraphDeps, c: Context, text: string): Promise<Response> {
  const body = safeParse(text);
  const named = (key: string) => (typeof body?.[key] === 'string' ? body[key] : '');
  const call = deps.calls.findByWacid(named('call_id'));
  const action = named('action');
  const record: GraphRecord = {
    action,
    atMs: deps.now(),
    body: text,
    answeredAtMs: null,
    status: null,
    response: null,
  };
  if (call) call.graph.push(record);
  else {
    deps.strays.push(record);
    deps.strays.splice(0, deps.strays.length - STRAYS_MAX);
  }
  const fault = call?.faults.takeGraph(action) ?? deps.faults.takeGraph(action);
  const answer = await withFault(fault, () => carryOut(call, text));
  if (answer === 'cut') return cutConnection();
  record.answeredAtMs = deps.now();
  record.status = answer.status;
  record.response = JSON.stringify(answer.body);
  return c.json(answer.body, { status: answer.status as 200 });
}

type Answer = { readonly status: number; readonly body: object };

const SUCCESS: Answer = { status: 200, body: { messaging_product: 'whatsapp', success: true } };

async function withFault(
  fault: GraphFault | undefined,
  act: () => Promise<Answer>,
): Promise<Answer | 'cut'> {
  if (!fault) return act();
  switch (fault.kind) {
    case 'server-error':
      // Provider: Graph API "Handle errors", code 2: temporary, may be retried.
      return failure(new GraphError(500, 2, 'Service temporarily unavailable', 'fault'), true);
    case 'rate-limit':
      // Provider: Graph API "Rate limits", code 4.
      return failure(new GraphError(429, 4, 'Application request limit reached', 'fault'), true);
    case 'token-expired':
      return failure(invalidToken('Session has expired'));
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
    default:
      throw new Error(`no such fault: ${String(fault.kind satisfies never)}`);
  }
}

function failure(error: GraphError, isTransient = false): Answer {
  return { status: error.status, body: errorBody(error, isTransient) };
}

async function carryOut(call: SimulatedCall | undefined, text: string): Promise<Answer> {
  try {
    const body = parseObject(text);
    const asked = parseAction(body);
    if (!call) throw invalidParameter(`Call ${String(body['call_id'])} does not exist`);
    await call.act(asked.action, asked.sdp, asked.opaque);
    return SUCCESS;
  } catch (error) {
    if (error instanceof GraphError) return failure(error);
    throw error;
  }
}

/** Provider: "Calling API reference", parameters of each action, read 2026-06. */
function parseAction(body: Body): Asked {
  if (body['messaging_product'] !== 'whatsapp') {
    throw invalidParameter("messaging_product must be 'whatsapp'");
  }
  const action = body['action'];
  if (action === 'connect') {
    throw invalidParameter('connect is not supported yet: the simulator takes no outgoing calls');
  }
  if (!isAction(action)) {
    throw invalidParameter('action must be one of connect, pre_accept, accept, reject, terminate');
  }
  const callId = body['call_id'];
  if (typeof callId !== 'string' || callId === '') throw invalidParameter('call_id is required');
  const opaque = body['biz_opaque_callback_data'];
  if (opaque !== undefined && (typeof opaque !== 'string' || opaque.length > OPAQUE_LENGTH_MAX)) {
    throw invalidParameter('biz_opaque_callback_data must be a string of at most 512 characters');
  }
  const takesAnswer = action === 'pre_accept' || action === 'accept';
  return { action, opaque, sdp: takesAnswer ? parseSession(body) : undefined };
}

function parseSession(body: Body): string {
  const session = asObject(body['session'], 'session');
  if (session['sdp_type'] !== 'answer') {
    throw invalidParameter("session.sdp_type must be 'answer' for a user-initiated call");
  }
  const sdp = session['sdp'];
  if (typeof sdp !== 'string' || sdp === '') throw invalidParameter('session.sdp is required');
  return sdp;
}

function isAction(value: unknown): value is CallAction {
  return ['pre_accept', 'accept', 'reject', 'terminate'].includes(value as string);
}

function safeParse(text: string): Body | undefined {
  try {
    return parseObject(text);
  } catch {
    return undefined;
  }
}

function parseObject(text: string): Body {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidParameter('The request body is not valid JSON');
  }
  return asObject(value, 'the request body');
}

function asObject(value: unknown, name: string): Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidParameter(`${name} must be an object`);
  }
  return value as Body;
}
