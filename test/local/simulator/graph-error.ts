// Errors in the shape of the Graph API. Pure.
import { randomBytes } from 'node:crypto';

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

  /** @param details the text of `error_data.details`, which says what to change */
  constructor(status: number, code: number, title: string, details: string) {
    super(`(#${code}) ${title}`);
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

/** What Graph answers for an invalid parameter. Provider: "Troubleshooting", code 100, read 2026-06. */
export function invalidParameter(details: string): GraphError {
  return new GraphError(400, 100, 'Invalid parameter', details);
}

/** Provider: "Handle authentication errors" of the Graph API: 401 with code 190. */
export function invalidToken(details = 'Error validating access token'): GraphError {
  return new GraphError(401, 190, 'Invalid OAuth access token', details);
}

/** The JSON body of a failed request. */
export function errorBody(error: GraphError, isTransient = false): object {
  return {
    error: {
      message: error.message,
      type: 'OAuthException',
      code: error.code,
      error_data: { messaging_product: 'whatsapp', details: error.details },
      ...(isTransient ? { is_transient: true } : {}),
      fbtrace_id: randomBytes(8).toString('base64url'),
    },
  };
}
