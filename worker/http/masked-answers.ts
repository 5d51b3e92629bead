// The last that happens to an answer: whoever is not to know users' numbers is told them in part.
import type { MiddlewareHandler } from 'hono';
import { maskJson } from '../domain/masking.ts';
import type { AppEnv } from './authentication.ts';

const JSON_TYPE = /^application\/(problem\+)?json\b/;

/** Whatever route answered, and problems too. */
export const maskAnswers: MiddlewareHandler<AppEnv> = async function maskAnswer(c, next) {
  await next();
  // Nobody who was not let in is told anything of users.
  const isMasked = (c.get('principal') as AppEnv['Variables']['principal'] | undefined)?.isMasked;
  if (!isMasked || !JSON_TYPE.test(c.res.headers.get('content-type') ?? '')) return;
  const { status, headers } = c.res;
  const body = JSON.stringify(maskJson(await c.res.json()));
  c.res = new Response(body, { status, headers });
};
