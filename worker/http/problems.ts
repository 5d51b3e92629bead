// Errors as RFC 9457 problems. The one place where an error becomes a response; unknown errors never show their text.
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { routePath } from 'hono/route';

const PROBLEMS = {
  'invalid-request': [400, 'The request is not valid'],
  'not-json': [400, 'The body is not JSON'],
  'too-deep': [400, 'The body is nested too deeply'],
  'bad-audio': [400, 'The audio cannot be used'],
  unauthenticated: [401, 'Authentication is missing or wrong'],
  'bad-signature': [401, 'The signature does not match the body'],
  forbidden: [403, 'This key may not do that'],
  'foreign-page': [403, 'The request may come from a page of somebody else'],
  'not-found': [404, 'There is no such thing'],
  conflict: [409, 'The current state does not allow that'],
  'call-taken': [409, 'Somebody else has this call'],
  'call-not-ringing': [409, 'The call does not ring yet'],
  'not-rung': [409, 'The call does not ring for this agent'],
  'not-on-duty': [409, 'The agent is not on duty'],
  'agent-busy': [409, 'The agent has as many calls as they can have'],
  'call-over': [409, 'The call is over'],
  'call-not-connected': [409, 'The call is not connected'],
  'call-not-recorded': [409, 'The call is not recorded'],
  'nobody-available': [409, 'Nobody can take the call now'],
  'not-possible-now': [409, 'The call does not allow that now'],
  'announcement-playing': [409, 'The announcement of the recording is played to its end'],
  'relay-too-old': [409, 'The relay of the call cannot do that'],
  'call-forbidden': [409, 'The user cannot be called now'],
  'outbound-restricted': [409, 'The provider restricts this number'],
  'calling-disabled': [409, 'Calling is switched off for this number'],
  'user-in-call': [409, 'There is a call with this user already'],
  'may-not-ask': [409, 'The contact may not be asked for permission now'],
  'template-needed': [409, 'Free-form messages are not possible now'],
  'length-required': [411, 'The length of the body is not known'],
  'too-large': [413, 'The body is too large'],
  'wrong-media-type': [415, 'The body is of a type that is not taken'],
  'no-such-range': [416, 'There is no such part'],
  'rules-changed': [409, 'Other rules were saved meanwhile'],
  'invalid-rules': [422, 'The rules have errors'],
  'idempotency-mismatch': [422, 'The Idempotency-Key belongs to another request'],
  'provider-refused': [422, 'The provider refused the request'],
  'upgrade-required': [426, 'This address speaks WebSocket only'],
  'too-many-requests': [429, 'Too many requests with wrong keys'],
  upstream: [502, 'The provider did not do it'],
  'not-configured': [503, 'The server is not configured'],
  'access-away': [503, 'Cloudflare Access cannot be reached'],
  'record-away': [503, 'The record cannot be reached'],
  overloaded: [503, 'The server has too much to do'],
} as const;
export type ProblemCode = keyof typeof PROBLEMS;

/** One field that is wrong. */
export interface FieldProblem {
  /** Path of the field, such as `access_token`. */
  readonly field: string;
  readonly expected: string;
}

export const problemSchema = z
  .looseObject({
    type: z.string().openapi({ example: 'urn:roomline:problem:call-taken' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    errors: z.array(z.object({ field: z.string(), expected: z.string() })).optional(),
  })
  .openapi('Problem');

/** An expected refusal: its text may be shown. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  /** Further members of the problem object. */
  readonly members: Readonly<Record<string, unknown>>;
  /** Seconds after which repeating it may help. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: ProblemCode,
    detail?: string,
    members: Readonly<Record<string, unknown>> = {},
    retryAfterS?: number,
  ) {
    super(detail ?? PROBLEMS[code][1]);
    this.code = code;
    this.members = { ...(detail === undefined ? {} : { detail }), ...members };
    this.retryAfterS = retryAfterS;
  }
}

const render = (status: number, body: object, retryAfterS?: number): Response =>
  Response.json(body, {
    status,
    headers: {
      'content-type': 'application/problem+json',
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    },
  });

export function problemResponse(problem: Problem): Response {
  const [status, title] = PROBLEMS[problem.code];
  const type = `urn:roomline:problem:${problem.code}`;
  return render(status, { type, title, status, ...problem.members }, problem.retryAfterS);
}

const AWAY = 'Nothing was done. Try again in a few seconds';
const AWAY_S = 3;

/** By its words, because errors that come from the Switchboard keep nothing else. A broken constraint is a defect of ours. */
const isRecordAway = ({ message }: Error): boolean =>
  /^(Failed query|D1_ERROR|the record is out of reach)/.test(message) &&
  !/constraint/i.test(message);

export function onError(error: Error, c: Context): Response {
  if (error instanceof Problem) return problemResponse(error);
  // Hono itself throws these: for a body that is not JSON, and for one that does not claim to be.
  if (error instanceof HTTPException && error.status === 400) {
    return problemResponse(new Problem('not-json'));
  }
  if (error instanceof HTTPException && error.status === 415) {
    return problemResponse(
      new Problem('wrong-media-type', 'Expected Content-Type: application/json'),
    );
  }
  // The route and not the path, which can hold anything.
  console.error('request.failed', {
    method: c.req.method,
    route: routePath(c, -1),
    error: String(error),
  });
  if (isRecordAway(error)) return problemResponse(new Problem('record-away', AWAY, {}, AWAY_S));
  return render(500, { type: 'about:blank', title: 'Internal error', status: 500 });
}

export const notFound = (): Response => problemResponse(new Problem('not-found'));

/** Most fields that one problem names; who sent ten thousand wrong ones learns enough from the first. */
export const FIELDS_MAX = 100;

/** Turns the schema library's findings into a problem that names the fields and what was expected there. */
export function invalidRequest(error: z.core.$ZodError): Problem {
  const errors: FieldProblem[] = error.issues.slice(0, FIELDS_MAX).map((issue) => ({
    field: issue.path.join('.') || '(body)',
    expected: issue.message,
  }));
  return new Problem('invalid-request', 'One or more fields are missing or malformed', { errors });
}

/** A problem with one field. */
export const invalidField = (field: string, expected: string): Problem =>
  new Problem('invalid-request', `${field}: expected ${expected}`, {
    errors: [{ field, expected }],
  });

export const tooManyRequests = (waitMs: number): Problem =>
  new Problem('too-many-requests', 'Try again later', {}, Math.ceil(waitMs / 1000));

/** How a refusal is described in the API's documentation. */
export const problemContent = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});
