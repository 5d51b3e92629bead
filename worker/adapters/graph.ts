// What Meta and 360dialog have in common: the bodies of requests, and what replies mean.
import { z } from 'zod';
import {
  JOB_DEADLINE_MS,
  type GraphAction,
  type JobFailure,
  type JobResult,
} from '../domain/job.ts';
import { parsePermissionState, type PermissionState } from '../domain/permission-state.ts';
import type {
  AnyReply,
  CallingObject,
  CallRequest,
  MessageContent,
  Reply,
  SentMessage,
  UserAddress,
} from './provider.ts';
import { parseRetryAt } from './retry-at.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A reply whose body has been read; `json` is null when it is none. */
export interface HttpReply {
  readonly status: number;
  readonly json: unknown;
  readonly headers: Headers;
}

const SUCCESS_BODY = z.looseObject({ success: z.boolean().optional() });

/** Makes one request. A refused connection and a lost reply look alike from here, so the cautious reading holds. */
export async function send(request: HttpRequest): Promise<Reply<HttpReply>> {
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: {
        ...request.headers,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
      signal: AbortSignal.timeout(JOB_DEADLINE_MS),
      redirect: 'manual',
    });
    const { status, headers } = response;
    return { ok: true, value: { status, headers, json: parseJson(await response.text()) } };
  } catch (error) {
    const why = error instanceof Error ? error.name : 'unknown error';
    return { ok: false, kind: 'unsure', message: `no reply from the provider (${why})` };
  }
}

// ---- requests ----------------------------------------------------------------------------------------------------------------

/** Provider: POST /{phone-number-id}/calls, Calling API reference, read 2026-06. */
export function callBody(request: CallRequest): object {
  const { action } = request;
  const base = { messaging_product: 'whatsapp', action };
  switch (action) {
    case 'connect':
      return {
        ...base,
        ...addressee(request.user),
        session: { sdp_type: 'offer', sdp: request.offerSdp },
        biz_opaque_callback_data: request.opaque,
      };
    case 'pre_accept':
    case 'accept':
      return {
        ...base,
        call_id: request.providerCallId,
        session: { sdp_type: 'answer', sdp: request.answerSdp },
      };
    case 'reject':
    case 'terminate':
      return { ...base, call_id: request.providerCallId };
  }
}

export const messageBody = (user: UserAddress, content: MessageContent): object => ({
  messaging_product: 'whatsapp',
  recipient_type: 'individual',
  ...addressee(user),
  ...content,
});

const addressee = ({ phone, bsuid }: UserAddress): object =>
  phone === undefined ? { recipient: bsuid } : { to: phone };

export const isAddressable = ({ phone, bsuid }: UserAddress): boolean =>
  phone !== undefined || bsuid !== undefined;

export const NOT_ADDRESSABLE: JobFailure = {
  ok: false,
  kind: 'refused',
  message: 'neither a phone number nor a user id is known',
};

// ---- replies -----------------------------------------------------------------------------------------------------------------

/** Provider: response of connect, Calling API reference, read 2026-06. */
const connected = z.looseObject({
  calls: z.array(z.looseObject({ id: z.string().min(1).max(512) })).min(1),
});
const sent = z.looseObject({
  contacts: z
    .array(
      z.looseObject({
        wa_id: z.string().optional().catch(undefined),
        user_id: z.string().optional().catch(undefined),
      }),
    )
    .optional()
    .catch(undefined),
  messages: z.array(z.looseObject({ id: z.string().min(1).max(512) })).min(1),
});

/** What the reply to an action on a call means. */
export function readAction(action: GraphAction, reply: HttpReply): JobResult {
  if (!isOk(reply)) {
    const failure = failureOf(reply);
    return isAlreadyDone(action, failure) ? { ok: true, already: true } : failure;
  }
  const body = SUCCESS_BODY.safeParse(reply.json);
  // Observed: a 200 with `success: false`, which is not success.
  if (!body.success || body.data.success === false) return notSuccess(reply);
  if (action !== 'connect') return { ok: true };
  const call = connected.safeParse(reply.json);
  const providerCallId = call.success ? call.data.calls[0]?.id : undefined;
  // The phone may ring all the same; the webhooks of the call will tell by what we gave along.
  if (providerCallId === undefined)
    return { ...notSuccess(reply), message: 'no call id in the reply' };
  return { ok: true, providerCallId };
}

export function readPermission(reply: HttpReply): Reply<PermissionState> {
  if (!isOk(reply)) return failureOf(reply);
  const state = parsePermissionState(reply.json);
  return state ? { ok: true, value: state } : unreadable(reply);
}

export function readSent(reply: HttpReply): Reply<SentMessage> {
  if (!isOk(reply)) return failureOf(reply);
  const parsed = sent.safeParse(reply.json);
  const message = parsed.success ? parsed.data.messages[0] : undefined;
  if (!parsed.success || !message) return notSuccess(reply);
  const contact = parsed.data.contacts?.[0];
  return {
    ok: true,
    value: { messageId: message.id, user: { phone: contact?.wa_id, bsuid: contact?.user_id } },
  };
}

const settings = z.looseObject({ calling: z.record(z.string(), z.unknown()).optional() });

export function readSettingsReply(reply: HttpReply): Reply<CallingObject> {
  if (!isOk(reply)) return failureOf(reply);
  const parsed = settings.safeParse(reply.json);
  // A number whose calling was never set has no `calling`.
  return parsed.success ? { ok: true, value: parsed.data.calling ?? {} } : unreadable(reply);
}

export function readWritten(reply: HttpReply): Reply<null> {
  const result = readAction('pre_accept', reply);
  return result.ok ? { ok: true, value: null } : result;
}

export const readAny = (reply: HttpReply): AnyReply => {
  const serverAtMs = Date.parse(reply.headers.get('date') ?? '');
  const result: Reply<unknown> = isOk(reply) ? { ok: true, value: reply.json } : failureOf(reply);
  return { ...result, ...(Number.isNaN(serverAtMs) ? {} : { serverAtMs }) };
};

const isOk = ({ status }: HttpReply): boolean => status >= 200 && status < 300;

const notSuccess = ({ status }: HttpReply): JobFailure => ({
  ok: false,
  kind: 'unsure',
  status,
  message: 'the provider answered success: false',
});
const unreadable = ({ status }: HttpReply): JobFailure => ({
  ok: false,
  kind: 'unavailable',
  status,
  message: 'the reply of the provider cannot be read',
});

// ---- failures ----------------------------------------------------------------------------------------------------------------

const text = z.string().optional().catch(undefined);
/** Provider: Cloud API error object, error codes page, read 2026-06. Every key may be missing. */
const errorObject = z.looseObject({
  error: z.looseObject({
    code: z.number().optional().catch(undefined),
    message: text,
    error_user_msg: text,
    error_data: z.looseObject({ details: text }).optional().catch(undefined),
  }),
});
/** Provider: 360dialog Messaging API, calling schema, read 2026-06: an error may be a mere string. */
const errorString = z.looseObject({ error: z.string() });

/** What went wrong, from a reply that is not 2xx. Pure; exported for tests. */
export function failureOf({ status, json, headers }: HttpReply): JobFailure {
  const { code, words } = wordsOf(json);
  const message = words ?? `HTTP ${status}`;
  const retryAtMs = parseRetryAt(message, headers.get('retry-after'), Date.now());
  return {
    ok: false,
    kind: kindOf(status, code),
    message: message.slice(0, 300),
    status,
    ...(code === undefined ? {} : { code }),
    ...(retryAtMs === null ? {} : { retryAtMs }),
  };
}

function wordsOf(json: unknown): { code?: number | undefined; words?: string | undefined } {
  const asObject = errorObject.safeParse(json);
  if (asObject.success) {
    const { code, message, error_user_msg, error_data } = asObject.data.error;
    return { code, words: error_data?.details ?? error_user_msg ?? message };
  }
  const asString = errorString.safeParse(json);
  if (!asString.success) return {};
  // Meta writes its code at the start of its texts: `(#138006) ...`.
  const code = /\(#(\d{1,7})\)/.exec(asString.data.error)?.[1];
  return { words: asString.data.error, ...(code === undefined ? {} : { code: Number(code) }) };
}

/** Codes of missing or expired access tokens: the operator can mend those while the call is still there. */
const TOKEN_CODES = new Set([0, 190]);
/** Rate limits. Provider: Cloud API error codes, read 2026-06. */
const BUSY_CODES = new Set([4, 613, 80007, 130429, 131056, 138002, 138005]);

/**
 * The code decides, not the status: 138000 and 138006 come as 401 and have nothing to do with the token. Provider: Calling API
 * troubleshooting, read 2026-06.
 */
function kindOf(status: number, code: number | undefined): JobFailure['kind'] {
  if (code !== undefined && (BUSY_CODES.has(code) || TOKEN_CODES.has(code))) return 'unavailable';
  if (status === 429 || (status === 401 && code === undefined)) return 'unavailable';
  return status >= 500 || status === 408 ? 'unsure' : 'refused';
}

/** The credentials are missing, wrong or expired. */
export const isTokenFailure = ({ status, code }: JobFailure): boolean =>
  code === undefined ? status === 401 : TOKEN_CODES.has(code);

/**
 * Repeating an action is not specified; a refusal that says the call is already in the wanted state is taken for success.
 * Derived from the failure causes listed for accept, reject and terminate ("call already ended", "already in progress").
 */
function isAlreadyDone(action: GraphAction, failure: JobFailure): boolean {
  if (action === 'connect' || failure.kind !== 'refused') return false;
  if (!/already/i.test(failure.message)) return false;
  const isOver = /ended|terminat|reject|complet/i.test(failure.message);
  return action === 'terminate' || action === 'reject' ? isOver : !isOver;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
