// Tokens of Cloudflare Access: who has signed in at the organisation's identity provider before their request came here.
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import type { Config } from '../config.ts';

/**
 * Provider: Cloudflare Access, "Validate JWTs", read 2026-11: this header, the issuer `https://<team>.cloudflareaccess.com`, the
 * address of the keys below it, RS256.
 */
export const ACCESS_HEADER = 'cf-access-jwt-assertion';
const CERTS_PATH = '/cdn-cgi/access/certs';
const ALGORITHMS = ['RS256'];

/** What a token says, or why it says nothing. */
export type AccessVerdict =
  | { readonly email: string; readonly expiresAtMs: number }
  /** It is genuine, but a program's: nobody signed in. */
  | 'nobody'
  | 'invalid'
  /** The keys could not be read. */
  | 'unknown';

export interface AccessTokens {
  /** @param token as Access put it into the header */
  verify(token: string): Promise<AccessVerdict>;
}

/**
 * @param issuer such as `https://team.cloudflareaccess.com`
 * @param audience the tag of the Access application
 * @param now epoch ms
 */
export function createAccessTokens(
  issuer: string,
  audience: string,
  now: () => number,
): AccessTokens {
  const keys = createRemoteJWKSet(new URL(CERTS_PATH, issuer));
  return {
    async verify(token) {
      try {
        const { payload } = await jwtVerify(token, keys, {
          issuer,
          audience,
          algorithms: ALGORITHMS,
          requiredClaims: ['exp'],
          currentDate: new Date(now()),
        });
        const { email, exp = 0 } = payload;
        if (typeof email !== 'string' || email === '') return 'nobody';
        return { email: email.toLowerCase(), expiresAtMs: exp * 1000 };
      } catch (error) {
        return isOfToken(error) ? 'invalid' : 'unknown';
      }
    },
  };
}

/** Null where no Access application stands before the worker. */
export const openAccess = (
  { ACCESS_TEAM_DOMAIN: domain, ACCESS_AUD: audience }: Config,
  now: () => number,
): AccessTokens | null =>
  domain !== '' ? createAccessTokens(`https://${domain}`, audience, now) : null;

/** The token is to blame, and not the way to the keys. */
const isOfToken = (error: unknown): boolean =>
  error instanceof errors.JWTExpired ||
  error instanceof errors.JWTClaimValidationFailed ||
  error instanceof errors.JWTInvalid ||
  error instanceof errors.JWSInvalid ||
  error instanceof errors.JWSSignatureVerificationFailed ||
  error instanceof errors.JOSEAlgNotAllowed ||
  error instanceof errors.JOSENotSupported ||
  error instanceof errors.JWKSNoMatchingKey ||
  error instanceof errors.JWKSMultipleMatchingKeys;
