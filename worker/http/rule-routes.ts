// `/v1/rules`: who takes which call.
import { createRoute, z } from '@hono/zod-openapi';
import type { StoredRules } from '../adapters/rule-store-d1.ts';
import { iso } from '../call-view.ts';
import { invalidRules, requireSound, saveRules } from '../handlers/save-rules.ts';
import { requireAdmin, requireRole } from '../principal.ts';
import type { Services } from '../services.ts';
import { invalidRequest, Problem, problemContent, problemSchema } from './problems.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';
import { rules } from './rule-schema.ts';

const version = z.int().min(0, 'a version, as `GET /v1/rules` shows it');

const rulesView = z
  .object({
    version: version.openapi({ description: '0 until a set is saved: every agent is rung' }),
    rules,
    saved_at: z.iso.datetime().nullable(),
    saved_by: z.string().nullable().openapi({ description: "An agent's id, a key's, or `admin`" }),
  })
  .openapi('Rules');

/** What a set is refused with. */
export const rulesProblem = {
  description: 'The set is refused as a whole; `errors` has everything that is wrong with it',
  content: {
    'application/problem+json': {
      // Not an extension: the document would ask for both kinds of errors.
      schema: z
        .looseObject({
          ...problemSchema.shape,
          errors: z.array(z.object({ path: z.string(), message: z.string() })),
        })
        .openapi('RulesProblem'),
    },
  },
};

const show = createRoute({
  method: 'get',
  path: '/rules',
  tags: ['routing'],
  summary: 'The rules in force',
  security: bearer,
  responses: { 200: json('The rules', rulesView), ...refusals },
});

const showVersion = createRoute({
  method: 'get',
  path: '/rules/{version}',
  tags: ['routing'],
  summary: 'Rules that are or were in force',
  security: bearer,
  request: {
    params: z.object({
      version: z.string().min(1).max(64).openapi({ description: 'As a call shows it' }),
    }),
  },
  responses: {
    200: json('The rules', rulesView),
    ...refusals,
    404: problemContent('There never was such a version'),
  },
});

const save = createRoute({
  method: 'put',
  path: '/rules',
  tags: ['routing'],
  summary: 'Put rules in force',
  description:
    'The whole set, for calls that begin from now on; calls in progress keep theirs. With `version`, the one that the set was made ' +
    'from, nothing is saved if somebody else has saved another one since.',
  security: bearer,
  request: body(
    z
      .object({
        version: version.optional().openapi({ description: 'The one that this set was made of' }),
        rules,
      })
      .openapi('NewRules'),
  ),
  responses: {
    200: json('The rules as they are in force', rulesView),
    ...refusals,
    409: problemContent('Another set has been saved since; `version` is the one in force'),
    422: rulesProblem,
  },
});

const check = createRoute({
  method: 'post',
  path: '/rules/check',
  tags: ['routing'],
  summary: 'Check rules without saving them',
  security: bearer,
  request: body(z.object({ rules }).openapi('CheckedRules')),
  responses: {
    204: { description: 'The set can be put in force' },
    ...refusals,
    422: rulesProblem,
  },
});

export function ruleRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(show, async (c) => {
    requireRole(c.var.principal, 'supervisor');
    return c.json(view(await services.rules.current()), 200);
  });
  app.openapi(showVersion, async (c) => {
    requireRole(c.var.principal, 'supervisor');
    const asked = c.req.valid('param').version;
    const found = /^\d{1,15}$/.test(asked) ? await services.rules.find(Number(asked)) : null;
    if (!found) throw new Problem('not-found', 'There are no rules of this version');
    return c.json(view(found), 200);
  });
  app.openapi(
    save,
    async (c) => {
      const { principal } = c.var;
      requireAdmin(principal);
      const { version = null, rules } = c.req.valid('json');
      return c.json(view(await saveRules(services, rules, version, principal.actor)), 200);
    },
    refuseMalformed,
  );
  app.openapi(
    check,
    async (c) => {
      requireRole(c.var.principal, 'supervisor');
      await requireSound(services, c.req.valid('json').rules);
      return c.body(null, 204);
    },
    refuseMalformed,
  );
  return app;
}

type Parsed =
  { readonly success: true } | { readonly success: false; readonly error: z.core.$ZodError };

/** What is malformed inside of the rules is told like everything else that is wrong with them; the rest like anywhere. */
export function refuseMalformed(result: Parsed): undefined {
  if (result.success) return undefined;
  const { issues } = result.error;
  const isInside = ({ path: [first, ...rest] }: z.core.$ZodIssue) =>
    first === 'rules' && rest.length > 0;
  if (!issues.every(isInside)) throw invalidRequest(result.error);
  throw invalidRules(
    issues.map(({ path, message }) => ({ path: path.slice(1).join('.'), message })),
  );
}

const view = ({ version, rules, saved }: StoredRules): z.infer<typeof rulesView> => ({
  version,
  rules,
  saved_at: saved && iso(saved.atMs),
  saved_by: saved && saved.by,
});
