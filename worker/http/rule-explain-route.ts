// `POST /v1/rules/explain`: who would take a call.
import { createRoute, z } from '@hono/zod-openapi';
import { iso } from '../call-view.ts';
import { explainRoute, type Explained } from '../handlers/explain-route.ts';
import { requireRole } from '../principal.ts';
import type { Services } from '../services.ts';
import { phone } from './contact-routes.ts';
import { bearer, body, json, newRoutes, refusals } from './routes.ts';
import { refuseMalformed, rulesProblem } from './rule-routes.ts';
import { rules, ruleSteps } from './rule-schema.ts';

const TEAMS_MAX = 1_000;

const question = z
  .object({
    number_id: z.string().min(1).max(64).openapi({ description: 'The number that is called' }),
    from: phone.optional().openapi({ description: "The caller's phone number" }),
    contact_id: z.string().min(1).max(64).optional().openapi({
      description: 'The caller, instead of `from`; without both a caller of whom nothing is known',
    }),
    at: z.iso.datetime('a time such as 2026-03-29T01:30:00Z').optional().openapi({
      description: 'When they call, UTC; now if it is absent',
    }),
    payload: z.string().max(512).optional().openapi({
      description: 'What the button or link carries that starts the call',
    }),
    available_teams: z.array(z.string().max(64)).max(TEAMS_MAX).optional().openapi({
      description: 'Teams of which somebody could take the call at once; as it is now if absent',
    }),
    call_id: z.string().min(1).max(64).default('explained').openapi({
      description: 'Decides how the call falls where a rule takes a `percentage`',
    }),
    rules: rules.optional(),
  })
  .refine(({ from, contact_id }) => from === undefined || contact_id === undefined, {
    path: ['from'],
    error: 'either `from` or `contact_id`',
  })
  .openapi('SupposedCall');

const answer = z
  .object({
    version: z.int().nullable().openapi({ description: 'Of the rules; null for a draft' }),
    rule: z.string().nullable().openapi({ description: 'Null: `otherwise` takes the call' }),
    path: z.string().openapi({
      description: 'Where its steps are in the set',
      example: 'rules.3.steps',
    }),
    steps: ruleSteps,
    passed_over: z
      .array(
        z.object({
          rule: z.string(),
          why: z.string().openapi({ example: 'hours: office is closed' }),
        }),
      )
      .openapi({ description: 'Every rule before, in order, with the member that did not fit' }),
    facts: z
      .object({
        at: z.iso.datetime(),
        phone: z.string().nullable(),
        country: z.string().nullable(),
        tags: z.array(z.string()),
        returning: z.boolean(),
        payload: z.string().nullable(),
        available_teams: z.array(z.string()),
      })
      .openapi({ description: 'What the rules were asked about' }),
  })
  .openapi('ExplainedRoute');

const explain = createRoute({
  method: 'post',
  path: '/rules/explain',
  tags: ['routing'],
  summary: 'Say which rule would take a call, and why none before it',
  description:
    'With the tags and the history of the caller, and the agents who are at work now. `rules` is a set that is not in force: it is ' +
    'checked as a whole, and not saved.',
  security: bearer,
  request: body(question),
  responses: { 200: json('Who takes the call', answer), ...refusals, 422: rulesProblem },
});

export function ruleExplainRoute(services: Services) {
  const app = newRoutes();
  app.openapi(
    explain,
    async (c) => {
      requireRole(c.var.principal, 'supervisor');
      const input = c.req.valid('json');
      const atMs = input.at === undefined ? services.now() : Date.parse(input.at);
      const explained = await explainRoute(services, {
        callId: input.call_id,
        numberId: input.number_id,
        phone: input.from ?? null,
        contactId: input.contact_id ?? null,
        payload: input.payload ?? null,
        atMs,
        availableTeams: input.available_teams ?? null,
        draft: input.rules ?? null,
      });
      return c.json(view(explained, atMs), 200);
    },
    refuseMalformed,
  );
  return app;
}

function view({ version, rules, route, facts }: Explained, atMs: number): z.infer<typeof answer> {
  const { index, steps, passedOver } = route;
  return {
    version,
    rule: index === null ? null : (rules.rules[index]?.name ?? null),
    path: index === null ? 'otherwise' : `rules.${index}.steps`,
    steps: [...steps],
    passed_over: passedOver.map((passed) => ({ ...passed })),
    facts: {
      at: iso(atMs),
      phone: facts.phone,
      country: facts.country,
      tags: [...facts.tags],
      returning: facts.isReturning,
      payload: facts.payload,
      available_teams: [...facts.availableTeams].toSorted(),
    },
  };
}
