// Errors in the shape of the Graph API. Pure.
import { randomBytes } from 'node:crypto';

/** Fields of an error that only some have. */
export type ErrorExtras = {
  /** Instead of the HTTP status that is documented for the code. */
  readonly status?: number | undefined;
  readonly subcode?: number;
  readonly userMessage?: string;
  readonly isTransient?: boolean;
};

/**
 * A request that Meta would refuse.
 *
 * Provider: "Troubleshooting", error table, and "Handle errors", read 2026-06: `error.code` classifies, not the status.
 */
export class GraphError extends Error {
  override readonly name = 'GraphError';
  readonly status: number;
  readonly code: number;
  readonly details: string;
  readonly extras: ErrorExtras;

  /** @param details the text of `error_data.details`, which says what to change */
  constructor(
    status: number,
    code: number,
    title: string,
    details: string,
    extras: ErrorExtras = {},
  ) {
    super(`(#${code}) ${title}`);
    this.status = status;
    this.code = code;
    this.details = details;
    this.extras = extras;
  }
}

/**
 * Status and title by code.
 *
 * Provider: "Troubleshooting", error table of calling, and "Error codes" of the Cloud API, read 2026-06.
 */
const KNOWN: Readonly<Record<number, readonly [status: number, title: string]>> = {
  4: [429, 'Application request limit reached'],
  10: [403, 'Application does not have permission for this action'],
  100: [400, 'Invalid parameter'],
  190: [401, 'Invalid OAuth access token'],
  200: [403, 'Permissions error'],
  368: [403, 'Temporarily blocked for policies violations'],
  613: [429, 'Calls to this API have exceeded the rate limit'],
  80007: [429, 'Rate limit issues'],
  130429: [429, 'Rate limit hit'],
  130497: [403, 'Business account is restricted from messaging users in this country'],
  131009: [400, 'Parameter value is not valid'],
  131026: [400, 'Message undeliverable'],
  131030: [400, 'Recipient phone number not in allowed list'],
  131031: [403, 'Business account has been locked'],
  131044: [400, 'Business eligibility payment issue'],
  131047: [400, 'Re-engagement message'],
  131055: [400, 'Method not allowed'],
  131056: [429, 'Business account, consumer account pair rate limit hit'],
  132001: [404, 'Template name does not exist in the translation'],
  138000: [401, 'Calling not enabled'],
  138001: [400, 'Receiver uncallable'],
  138002: [429, 'Concurrent calls limit reached'],
  138003: [400, 'Duplicate call'],
  138004: [500, 'Connection error'],
  138005: [429, 'Call rate limit exceeded'],
  138006: [401, 'No approved call permission from the recipient'],
  138007: [500, 'Connection timeout'],
  138008: [400, 'SDP Validation error'],
  138009: [400, 'Call permission request limit hit'],
  138011: [400, 'No prior conversation with the recipient'],
  138012: [400, 'Business-initiated calls limit hit'],
  138013: [400, 'Business-initiated calls are not available'],
  138014: [400, 'Calling is paused for this number'],
  138015: [400, 'Calling cannot be enabled'],
  138017: [400, 'A permanent call permission already exists'],
  138018: [400, 'Calling cannot be enabled'],
};

/** The error with the status and title that Meta documents for its code. @throws RangeError for an unknown code */
export function graphError(code: number, details: string, extras: ErrorExtras = {}): GraphError {
  const known = KNOWN[code];
  if (!known) throw new RangeError(`no such error code: ${code}`);
  return new GraphError(extras.status ?? known[0], code, known[1], details, extras);
}

/** Whether `graphError` knows it. */
export function isKnownCode(code: number): boolean {
  return code in KNOWN;
}

/** What Graph answers for an invalid parameter. Provider: "Troubleshooting", code 100, read 2026-06. */
export function invalidParameter(details: string): GraphError {
  return graphError(100, details);
}

/** Provider: "Handle authentication errors" of the Graph API: 401 with code 190. */
export function invalidToken(details = 'Error validating access token'): GraphError {
  return graphError(190, details);
}

/** The JSON body of a failed request. */
export function errorBody(error: GraphError, isTransient = false): object {
  const { subcode, userMessage, isTransient: declared } = error.extras;
  return {
    error: {
      message: error.message,
      type: 'OAuthException',
      code: error.code,
      ...(subcode === undefined ? {} : { error_subcode: subcode }),
      ...(userMessage === undefined
        ? {}
        : { error_user_title: 'Not available', error_user_msg: userMessage }),
      error_data: { messaging_product: 'whatsapp', details: error.details },
      ...(isTransient || declared ? { is_transient: true } : {}),
      ...(declared === false ? { is_transient: false } : {}),
      fbtrace_id: randomBytes(8).toString('base64url'),
    },
  };
}
