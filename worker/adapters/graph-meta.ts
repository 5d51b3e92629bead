// Meta's Graph API: one request per call of `act`, and what its answer means. Retrying is the domain's business.
import { z } from 'zod';
import {
  JOB_DEADLINE_MS,
  type GraphAction,
  type JobFailure,
  type JobResult,
} from '../domain/job.ts';

const META_BASE_URL = 'https://graph.facebook.com';

export interface GraphRequest {
  readonly baseUrl: string | null;
  readonly version: string;
  readonly phoneNumberId: string;
  readonly accessToken: string;
  readonly action: GraphAction;
  readonly providerCallId: string;
  /** Sent with pre_accept and accept, byte for byte the same. */
  readonly answerSdp: string | null;
}

/** Provider: Cloud API error object, error codes page, read 2026-06. Every key may be missing. */
const errorBody = z.looseObject({
  error: z.looseObject({
    code: z.number().optional().catch(undefined),
    message: z.string().optional().catch(undefined),
    error_data: z
      .looseObject({ details: z.string().optional().catch(undefined) })
      .optional()
      .catch(undefined),
  }),
});
const okBody = z.looseObject({ success: z.boolean().optional() });

/** Performs one action on a call. Never throws: whatever happens is a result. */
export async function actOnCall(request: GraphRequest): Promise<JobResult> {
  const url = `${versioned(request)}/${request.phoneNumberId}/calls`;
  const session =
    request.answerSdp === null ? {} : { session: { sdp_type: 'answer', sdp: request.answerSdp } };
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${request.accessToken}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        messaging_product: 'whatsapp',
        call_id: request.providerCallId,
        action: request.action,
        ...session,
      }),
      signal: AbortSignal.timeout(JOB_DEADLINE_MS),
      redirect: 'manual',
    });
    text = await response.text();
  } catch (error) {
    // A refused connection and a lost reply look alike from here, so the cautious reading holds.
    const why = error instanceof Error ? error.name : 'unknown error';
    return { ok: false, kind: 'unsure', message: `no reply from the provider (${why})` };
  }
  return readReply(request.action, response.status, text);
}

/** A base address may name a version of its own, such as that of a proxy. */
function versioned({ baseUrl, version }: GraphRequest): string {
  const base = baseUrl ?? META_BASE_URL;
  return /\/v\d+\.\d+$/.test(base) ? base : `${base}/${version}`;
}

/** What a reply means. Pure; exported for tests. */
export function readReply(action: GraphAction, status: number, text: string): JobResult {
  const json = parseJson(text);
  if (status >= 200 && status < 300) {
    const body = okBody.safeParse(json);
    // Observed: a 200 with `success: false`, which is not success.
    if (body.success && body.data.success !== false) return { ok: true };
    return { ok: false, kind: 'unsure', status, message: 'the provider answered success: false' };
  }
  const failure = failureOf(status, json);
  return isAlreadyDone(action, failure) ? { ok: true, already: true } : failure;
}

function failureOf(status: number, json: unknown): JobFailure {
  const parsed = errorBody.safeParse(json);
  const error = parsed.success ? parsed.data.error : {};
  const code = error.code;
  const words = error.error_data?.details ?? error.message ?? `HTTP ${status}`;
  return {
    ok: false,
    kind: kindOf(status, code),
    message: words.slice(0, 300),
    status,
    ...(code === undefined ? {} : { code }),
  };
}

/** Codes of missing or expired access tokens: the operator can mend those while the call is still there. */
const TOKEN_CODES = new Set([0, 190]);
/** Rate limits. Provider: Cloud API error codes, read 2026-06. */
const BUSY_CODES = new Set([4, 613, 80007, 130429, 138002, 138005]);

function kindOf(status: number, code: number | undefined): JobFailure['kind'] {
  if (status === 429 || (code !== undefined && (BUSY_CODES.has(code) || TOKEN_CODES.has(code)))) {
    return 'unavailable';
  }
  return status >= 500 || status === 408 ? 'unsure' : 'refused';
}

/**
 * Repeating an action is not specified; a refusal that says the call is already in the wanted state is taken for success.
 * Derived from the failure causes listed for accept, reject and terminate ("call already ended", "already in progress").
 */
function isAlreadyDone(action: GraphAction, failure: JobFailure): boolean {
  if (failure.kind !== 'refused' || !/already/i.test(failure.message)) return false;
  const isOver = /ended|terminat|reject|complet/i.test(failure.message);
  return action === 'terminate' || action === 'reject' ? isOver : !isOver;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
