// `/v1/session`: signing in with an invitation, who one is, signing out.
import { createRoute, z } from '@hono/zod-openapi';
import { newSecret, sha256Hex } from '../adapters/sealed-secret.ts';
import { iso } from '../call-view.ts';
import { SECRET_CHARS_MAX } from '../config.ts';
import { ROLES } from '../domain/roster.ts';
import { SESSION_MS } from '../domain/session.ts';
import type { Services } from '../services.ts';
import type { Principal } from '../principal.ts';
import { findSession } from './authentication.ts';
import { checkJsonBody } from './json-body.ts';
import { sourceOf, type KeyGuard } from './key-guard.ts';
import { Problem, problemContent } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';
import { csrfTokenOf, giveSession, requireOwnOrigin, takeSession } from './session-cookie.ts';

const sessionView = z
  .object({
    agent: z
      .object({ id: z.string(), name: z.string() })
      .nullable()
      .openapi({ description: 'Null for the operator and for programs' }),
    role: z.enum(ROLES),
    teams: z.array(z.string()).nullable().openapi({
      description: 'Whose calls you see beside your own; null: every call',
    }),
    csrf_token: z.string().nullable().openapi({
      description:
        'To be sent as `X-CSRF-Token` with every request that changes something; null for keys, which need none',
    }),
    expires_at: z.iso.datetime().nullable().openapi({
      description:
        'You are signed out then, unless you ask something before; null for keys without an end',
    }),
  })
  .openapi('Session');

const signIn = createRoute({
  method: 'post',
  path: '/session',
  tags: ['sign-in'],
  summary: 'Sign in with an invitation',
  description:
    'The cookie that comes with the answer is the credential of this browser: for 7 days, or until nothing was asked for 12 h.',
  middleware: checkJsonBody(),
  request: body(
    z
      .strictObject({
        invitation: z
          .string()
          .min(1)
          .max(SECRET_CHARS_MAX)
          .openapi({ description: 'What the link carries after `invitation=`' }),
      })
      .openapi('SignIn'),
  ),
  responses: {
    200: json('You are signed in', sessionView),
    ...refusals,
    401: problemContent('The invitation was used, replaced or has expired'),
    403: problemContent('The page that asks is not one of this server'),
  },
});

const show = createRoute({
  method: 'get',
  path: '/session',
  tags: ['sign-in'],
  summary: 'Who you are',
  security: bearer,
  responses: { 200: json('You', sessionView), ...refusals },
});

const signOut = createRoute({
  method: 'delete',
  path: '/session',
  tags: ['sign-in'],
  summary: 'Sign out',
  description:
    'Ends the session of this browser and closes its event streams. A key stays as it is.',
  security: bearer,
  responses: { 204: { description: 'You are signed out' }, ...refusals },
});

/** Needs no credential but the invitation. */
export function signInRoute(services: Services, guard: KeyGuard) {
  const app = newRoutes();
  app.openapi(signIn, async (c) => {
    requireOwnOrigin(c);
    const invitationHash = await sha256Hex(c.req.valid('json').invitation);
    const token = newSecret('rls');
    const tokenHash = await sha256Hex(token);
    const nowMs = services.now();
    const times = { createdAtMs: nowMs, expiresAtMs: nowMs + SESSION_MS };
    const agentId = await guard.check(sourceOf(c), invitationHash, () =>
      services.sessions.signIn(invitationHash, tokenHash, times),
    );
    const principal = agentId && (await findSession(services, tokenHash));
    if (!principal) {
      throw new Problem('unauthenticated', 'The invitation was used, replaced or has expired');
    }
    c.set('principal', principal);
    giveSession(c, token, SESSION_MS);
    return c.json(view(principal, await csrfTokenOf(token)), 200);
  });
  return app;
}

export function sessionRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(show, async (c) => {
    const { principal, ambient } = c.var;
    return c.json(view(principal, ambient === null ? null : await csrfTokenOf(ambient)), 200);
  });
  app.openapi(signOut, async (c) => {
    const { principal, ambient } = c.var;
    if (ambient !== null && principal.keyHash !== undefined) {
      await services.sessions.end(principal.keyHash);
      await services.switchboard().closeStreams(principal.keyHash);
      takeSession(c);
    }
    return c.body(null, 204);
  });
  return app;
}

const view = (
  { agent, role, teams, untilMs }: Principal,
  csrfToken: string | null,
): z.infer<typeof sessionView> => ({
  agent: agent && { id: agent.id, name: agent.name },
  role,
  teams: teams && [...teams],
  csrf_token: csrfToken,
  expires_at: untilMs === undefined ? null : iso(untilMs),
});
