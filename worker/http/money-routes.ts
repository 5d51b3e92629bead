// `/v1/rates`, `/v1/usage`: what calls cost by the operator's rate card, and how much was called.
import { createRoute, z } from '@hono/zod-openapi';
import type { Usage } from '../adapters/usage-reader-d1.ts';
import { iso } from '../call-view.ts';
import type { NumberId } from '../domain/ids.ts';
import {
  decimalFromMicros,
  parseRateCard,
  RATE_COLUMNS,
  type LineProblem,
} from '../domain/rate-card.ts';
import { requireAdmin } from '../principal.ts';
import type { Services } from '../services.ts';
import { limitBody } from './json-body.ts';
import {
  FIELDS_MAX,
  invalidField,
  Problem,
  problemContent,
  type FieldProblem,
} from './problems.ts';
import { bearer, json, newRoutes, refusals } from './routes.ts';

/** A full card has some 60 kB. */
const CARD_BYTES_MAX = 2 * 1024 * 1024;

const upload = createRoute({
  method: 'put',
  path: '/rates',
  tags: ['money'],
  summary: 'Replace the rate card',
  description:
    `CSV with the header \`${RATE_COLUMNS.join(',')}\`. All or nothing: with one broken line nothing changes, and \`errors\` names ` +
    `such lines, the first ${FIELDS_MAX}. Calls that are priced already keep their price.`,
  security: bearer,
  request: {
    body: {
      required: true,
      content: {
        'text/csv': {
          schema: z.string().openapi({
            example: `${RATE_COLUMNS.join(',')}\n351,0,USD,0.0103,2026-07-01`,
          }),
        },
      },
    },
  },
  responses: {
    200: json('The card is in use', z.object({ rates: z.int() })),
    ...refusals,
    413: problemContent('The card is too large'),
  },
});

const rateView = z
  .object({
    prefix: z.string().openapi({ example: '351' }),
    tier_from_minutes: z.int(),
    currency: z.string().openapi({ example: 'USD' }),
    price_per_minute: z.string().openapi({ example: '0.0103' }),
    valid_from: z.iso.date(),
  })
  .openapi('Rate');

const listRates = createRoute({
  method: 'get',
  path: '/rates',
  tags: ['money'],
  summary: 'The rate card',
  security: bearer,
  responses: { 200: json('All rates', z.object({ data: z.array(rateView) })), ...refusals },
});

const usageView = z
  .object({
    number_id: z.string(),
    direction: z.enum(['inbound', 'outbound']),
    calls: z.int(),
    answered: z.int(),
    seconds: z.int().openapi({ description: 'Between pickup and end, of calls that ended' }),
    billed_seconds: z.int().openapi({ description: 'In steps of 6 s; calls of users are free' }),
    cost: z
      .array(z.object({ currency: z.string(), amount: z.string(), micros: z.int() }))
      .openapi({ description: 'By the rate card, per currency; an estimate, not an invoice' }),
    calls_without_rate: z
      .int()
      .openapi({ description: 'Billed calls that the card has no rate for; not in `cost`' }),
  })
  .openapi('Usage');

const at = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], {
    error: 'a day as YYYY-MM-DD, or a time such as 2026-07-01T00:00:00Z',
  })
  .transform((value) => Date.parse(value));

const usage = createRoute({
  method: 'get',
  path: '/usage',
  tags: ['money'],
  summary: 'How much was called, and what it cost',
  security: bearer,
  request: {
    query: z.object({
      from: at.optional().openapi({
        type: 'string',
        description: 'Calls from then on; the first day of this month (UTC) unless given',
      }),
      to: at.optional().openapi({ type: 'string', description: 'Calls before then; now' }),
      number_id: z.string().min(1).max(64).optional(),
    }),
  },
  responses: {
    200: json(
      'One entry for each number and direction that had calls',
      z.object({ from: z.iso.datetime(), to: z.iso.datetime(), data: z.array(usageView) }),
    ),
    ...refusals,
  },
});

export function moneyRoutes(services: Services) {
  const app = newRoutes();
  app.use('/rates', limitBody(CARD_BYTES_MAX));
  app.openapi(upload, async (c) => {
    requireAdmin(c.var.principal);
    const card = parseRateCard(await c.req.text());
    if (!card.ok) {
      const errors = card.problems.slice(0, FIELDS_MAX).map(fieldProblem);
      throw new Problem('invalid-request', 'Nothing was changed: the card has errors', { errors });
    }
    await services.rates.replace(card.rates);
    return c.json({ rates: card.rates.length }, 200);
  });
  app.openapi(listRates, async (c) => {
    requireAdmin(c.var.principal);
    const rates = await services.rates.all();
    const data = rates.map((rate) => ({
      prefix: rate.prefix,
      tier_from_minutes: rate.tierFromMinutes,
      currency: rate.currency,
      price_per_minute: decimalFromMicros(rate.microsPerMinute),
      valid_from: rate.validFrom,
    }));
    return c.json({ data }, 200);
  });
  app.openapi(usage, async (c) => {
    requireAdmin(c.var.principal);
    const query = c.req.valid('query');
    const toMs = query.to ?? services.now();
    const fromMs = query.from ?? startOfMonth(toMs);
    if (fromMs > toMs) throw invalidField('from', 'a time before `to`');
    const numberId = query.number_id as NumberId | undefined;
    const data = await services.usage.read({ fromMs, toMs, numberId });
    return c.json({ from: iso(fromMs), to: iso(toMs), data: data.map(viewOfUsage) }, 200);
  });
  return app;
}

const fieldProblem = ({ line, column, expected }: LineProblem): FieldProblem => ({
  field: column === null ? `line ${line}` : `line ${line}, ${column}`,
  expected,
});

function startOfMonth(atMs: number): number {
  const day = new Date(atMs);
  return Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), 1);
}

const viewOfUsage = (item: Usage): z.infer<typeof usageView> => ({
  number_id: item.numberId,
  direction: item.direction,
  calls: item.calls,
  answered: item.answered,
  seconds: item.seconds,
  billed_seconds: item.billedS,
  cost: item.cost.map(({ currency, micros }) => ({
    currency,
    amount: decimalFromMicros(micros),
    micros,
  })),
  calls_without_rate: item.withoutRate,
});
