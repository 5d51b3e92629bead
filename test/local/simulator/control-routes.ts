// The control API: what tests, benchmarks and people use to make the simulator call somebody.
import { createHmac, randomBytes } from 'node:crypto';
import { Hono, type Context } from 'hono';
import { z } from 'zod';
import type { GraphRecord, Limits, SimulatedCall } from './call.ts';
import { summaryOf, viewOf } from './call-view.ts';
import type { Calls } from './calls.ts';
import { toSnakeCase } from './casing.ts';
import { newCall, playRequest, rawWebhook } from './control-schemas.ts';
import { faults, type FaultBox } from './faults.ts';
import { LitePhone } from './phone.ts';
import { DEFAULT_SIGNAL } from './signals.ts';
import { encodeAsMeta, signatureOf } from './wire.ts';

/** What the control API needs. */
export type ControlDeps = {
  readonly calls: Calls;
  readonly faults: FaultBox;
  readonly strays: GraphRecord[];
  readonly limits: Limits;
  readonly mediaBind: string;
  readonly webhookUrl: string | undefined;
  readonly appSecret: string;
  readonly verifyToken: string;
  readonly now: () => number;
};

/** A request that the control API refuses; `message` names what is wrong and where. */
class ControlError extends Error {
  readonly status: 400 | 404 | 409 | 502;
  constructor(status: 400 | 404 | 409 | 502, message: string) {
    super(message);
    this.status = status;
  }
}

let nextCaller = 0;

/** `/control/*`. */
export function controlRoutes(deps: ControlDeps): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof ControlError) return c.json({ error: error.message }, error.status);
    throw error;
  });
  const json = (c: Context, value: unknown, status: 200 | 201 = 200) =>
    c.json(toSnakeCase(value) as object, status);
  const found = (c: Context): SimulatedCall => {
    const id = c.req.param('id') ?? '';
    const call = deps.calls.find(id);
    if (!call) throw new ControlError(404, `no call ${id}`);
    return call;
  };
  app.get('/calls', (c) => json(c, { calls: deps.calls.list().map(summaryOf) }));
  app.post('/calls', async (c) => {
    const call = await placeCall(deps, await parsed(c, newCall));
    return json(c, summaryOf(call), 201);
  });
  app.get('/calls/:id', (c) => json(c, viewOf(found(c))));
  app.post('/calls/:id/hangup', (c) => {
    const call = found(c);
    call.end({ by: 'caller', reason: 'hangup' });
    return json(c, summaryOf(call));
  });
  app.post('/calls/:id/play', async (c) => {
    const call = found(c);
    if (call.phase !== 'live') throw new ControlError(409, `the call is ${call.phase}, not live`);
    play(call, await parsed(c, playRequest));
    return json(c, summaryOf(call));
  });
  app.post('/calls/:id/faults', async (c) => {
    const call = found(c);
    call.faults.add(await parsed(c, faults));
    return c.json(call.faults.list());
  });
  app.get('/faults', (c) => c.json(deps.faults.list()));
  app.post('/faults', async (c) => {
    deps.faults.add(await parsed(c, faults));
    return c.json(deps.faults.list());
  });
  app.delete('/faults', (c) => {
    deps.faults.clear();
    return c.json(deps.faults.list());
  });
  app.get('/strays', (c) => json(c, { graph: deps.strays }));
  app.post('/webhooks', async (c) => json(c, await sendRaw(deps, await parsed(c, rawWebhook))));
  app.post('/verify-webhook', async (c) => json(c, await verifyWebhook(deps)));
  return app;
}

/** Makes a phone and lets it call. */
async function placeCall(
  deps: ControlDeps,
  body: z.output<typeof newCall>,
): Promise<SimulatedCall> {
  const from = body.from === undefined ? freshNumber() : (body.from ?? undefined);
  // Provider: "Troubleshooting", 138003, read 2026-06: one live call per business and user.
  if (deps.calls.isBusy(from)) throw new ControlError(409, `${from ?? ''} is in a call already`);
  const media = await LitePhone.create({
    bind: deps.mediaBind,
    shape: body.shape,
    listen: body.listen,
    now: deps.now,
    play: body.play ?? DEFAULT_SIGNAL,
    ...(body.ipv6 ? { ipv6: body.ipv6 } : {}),
  });
  const call = deps.calls.create({
    caller: {
      from,
      name: body.name,
      username: body.username,
      userId: body.user_id ?? userIdFor(from),
    },
    media,
    play: body.play ?? DEFAULT_SIGNAL,
    limits: {
      answerMs: body.answer_limit_ms ?? deps.limits.answerMs,
      firstMediaMs: body.first_media_limit_ms ?? deps.limits.firstMediaMs,
      silenceMs: body.silence_limit_ms ?? deps.limits.silenceMs,
    },
    faults: body.faults,
    extra: {
      ...(body.cta_payload ? { cta_payload: body.cta_payload } : {}),
      ...(body.deeplink_payload ? { deeplink_payload: body.deeplink_payload } : {}),
    },
  });
  media.connected.then(
    () => call.note('media up'),
    (error: unknown) => {
      if (call.phase !== 'ended') call.note('media failed', String(error));
    },
  );
  if (body.hang_up_after_ms !== undefined) {
    const hangUp = () => call.end({ by: 'caller', reason: 'hangup' });
    setTimeout(hangUp, body.hang_up_after_ms).unref();
  }
  return call;
}

/** Numbers of the range kept for fiction (555-0100 to 0199 in several area codes), one after the other. */
function freshNumber(): string {
  const count = nextCaller++;
  return `1${201 + (Math.floor(count / 100) % 700)}55501${String(count % 100).padStart(2, '0')}`;
}

/** The same number always gets the same business-scoped id; it shows nothing of the number. */
function userIdFor(from: string | undefined): string {
  const source = from ?? randomBytes(8).toString('hex');
  const digest = createHmac('sha256', 'bsuid').update(source).digest();
  return `US.${digest.readBigUInt64BE(0).toString().padStart(20, '1')}`;
}

function play(call: SimulatedCall, body: z.output<typeof playRequest>): void {
  const { media } = call.options;
  if (body.signal) media.startTalking(body.signal);
  if (body.send === 'talk') media.startTalking(call.options.play);
  if (body.send === 'listen') media.stopTalking();
  if (body.send === 'nothing') media.stopSending();
  if (body.keys) media.press(body.keys, body.key_ms);
  call.note('play', JSON.stringify(body));
}

/** The answer of the webhook's receiver. */
export type Received = { status: number; body: string };

async function sendRaw(deps: ControlDeps, request: z.output<typeof rawWebhook>): Promise<Received> {
  const text = request.text ?? encodeAsMeta(request.body ?? {});
  return receive(deps, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-hub-signature-256': request.signature ?? signatureOf(text, deps.appSecret),
    },
    body: text,
  });
}

/** Provider: "Webhooks", verification requests, read 2026-06: the challenge must come back as it is. */
async function verifyWebhook(deps: ControlDeps): Promise<Received & { verified: boolean }> {
  const challenge = String(randomBytes(4).readUInt32BE(0));
  const query = new URLSearchParams({
    'hub.mode': 'subscribe',
    'hub.verify_token': deps.verifyToken,
    'hub.challenge': challenge,
  });
  const received = await receive(deps, { method: 'GET' }, `?${query.toString()}`);
  return { ...received, verified: received.status === 200 && received.body === challenge };
}

async function receive(deps: ControlDeps, init: RequestInit, query = ''): Promise<Received> {
  if (!deps.webhookUrl) throw new ControlError(409, 'no webhook address is set (WEBHOOK_URL)');
  try {
    const response = await fetch(deps.webhookUrl + query, { ...init, redirect: 'manual' });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    throw new ControlError(502, `${deps.webhookUrl} cannot be reached: ${String(error)}`);
  }
}

async function parsed<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await c.req.text();
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new ControlError(400, 'the body is not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`,
  );
  throw new ControlError(400, problems.join('; '));
}
