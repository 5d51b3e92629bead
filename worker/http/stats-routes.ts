// `/v1/stats`: how calls are going, at a glance and for monitoring.
import { createRoute, z } from '@hono/zod-openapi';
import type { DirectionStats, PeriodStats } from '../adapters/stats-reader-d1.ts';
import { iso, outcomeView } from '../call-view.ts';
import { requireAdmin } from '../principal.ts';
import { PRESENCES, type Presence } from '../domain/roster.ts';
import type { PresenceView } from '../front-desk.ts';
import type { Services } from '../services.ts';
import { bearer, json, newRoutes, refusals } from './routes.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;

const directionView = z
  .object({
    calls: z.int().openapi({ description: 'Ended ones' }),
    answered: z.int(),
    answered_share: z.number().nullable().openapi({
      description: 'From 0 to 1; null without calls',
    }),
    wait_p50_ms: z
      .int()
      .nullable()
      .openapi({
        description:
          "Half of the answered calls waited at most this long: calls of users from the provider's time of the call, which has " +
          'whole seconds, calls of the business from the request; null without an answered call',
      }),
    wait_p95_ms: z.int().nullable().openapi({ description: 'The same for 95 of 100' }),
  })
  .openapi('DirectionStats');

const periodView = z
  .object({
    from: z.iso.datetime(),
    inbound: directionView,
    outbound: directionView,
    outcomes: z
      .array(
        z.object({
          direction: z.enum(['inbound', 'outbound']),
          result: outcomeView.shape.result,
          reason: outcomeView.shape.reason,
          calls: z.int(),
        }),
      )
      .openapi({ description: 'How the calls ended, the most frequent first' }),
    teams: z
      .array(
        z.object({
          team_id: z.string(),
          calls: z.int(),
          talked: z.int().openapi({ description: 'Somebody spoke with the caller' }),
          abandoned: z.int().openapi({ description: 'The caller left before' }),
          wait_p50_ms: z.int().nullable().openapi({
            description:
              "Half of those who were spoken with waited at most this long, from the provider's time of the call",
          }),
          wait_p95_ms: z.int().nullable().openapi({ description: 'The same for 95 of 100' }),
        }),
      )
      .openapi({ description: 'Calls of users by the team that they were last routed to' }),
  })
  .openapi('PeriodStats', { description: 'Calls that began in the period and have ended' });

const statsView = z
  .object({
    at: z.iso.datetime(),
    live: z.object({
      calls: z.int(),
      by_state: z.record(z.string(), z.int()).openapi({ example: { ringing: 1, active: 12 } }),
    }),
    unconfirmed_ends: z.int().openapi({
      description: 'Calls in the state `ending`: over, and the provider has not confirmed it yet',
    }),
    queues: z
      .array(
        z.object({
          team_id: z.string(),
          waiting: z.int().openapi({ description: 'Calls that look for somebody of the team' }),
          longest_wait_ms: z.int().openapi({ description: 'Of those, at this step of their rule' }),
        }),
      )
      .openapi({ description: 'Teams for which somebody waits now' }),
    agents: z
      .record(z.enum(PRESENCES), z.int())
      .openapi({ description: 'How many agents there are of each presence' }),
    last_hour: periodView,
    today: periodView.openapi({ description: 'From midnight, UTC' }),
    relays: z
      .array(
        z.object({
          id: z.string(),
          calls: z.int(),
          capacity: z.int(),
          is_draining: z.boolean(),
          is_overloaded: z.boolean(),
        }),
      )
      .openapi({ description: 'Those that are connected' }),
    commit_ms: z.int().nullable().openapi({
      description:
        'How long one write to the database takes from where this request was answered; null before a number is registered',
    }),
    ignored: z
      .record(z.string(), z.int())
      .openapi({ description: 'What was received and not acted on, counted since the beginning' }),
  })
  .openapi('Stats');

const stats = createRoute({
  method: 'get',
  path: '/stats',
  tags: ['set-up'],
  summary: 'How calls are going',
  description:
    'Live calls, who waits and who is at work, how the calls of the last hour and of today ended, the relays and their load. It reads every call of the day and ' +
    'writes one row: for a look every minute or so, not every second.',
  security: bearer,
  responses: { 200: json('Now', statsView), ...refusals },
});

export function statsRoutes(services: Services) {
  const app = newRoutes();
  app.openapi(stats, async (c) => {
    requireAdmin(c.var.principal);
    return c.json(await readStats(services), 200);
  });
  return app;
}

async function readStats(services: Services): Promise<z.infer<typeof statsView>> {
  const nowMs = services.now();
  const [counted, ignored, relays, queues, presences] = await Promise.all([
    services.usage.stats([nowMs - HOUR_MS, nowMs - (nowMs % DAY_MS)]),
    services.directory.counters(),
    services.switchboard().relays(),
    services.switchboard().queues(),
    services.switchboard().presences(),
  ]);
  const { live, unconfirmedEnds, periods, numberId } = counted;
  const [lastHour, today] = periods;
  return {
    at: iso(nowMs),
    live: {
      calls: live.reduce((sum, { calls }) => sum + calls, 0),
      by_state: Object.fromEntries(live.map(({ state, calls }) => [state, calls])),
    },
    unconfirmed_ends: unconfirmedEnds,
    queues: queues.map(({ team, calls, sinceMs }) => ({
      team_id: team,
      waiting: calls,
      longest_wait_ms: Math.max(0, nowMs - sinceMs),
    })),
    agents: countByPresence(presences),
    last_hour: viewOfPeriod(lastHour),
    today: viewOfPeriod(today),
    relays: relays.map(({ id, load, capacity, isDraining, isOverloaded }) => ({
      id,
      calls: load,
      capacity,
      is_draining: isDraining,
      is_overloaded: isOverloaded,
    })),
    // After the reads, which have made the connection: a first request would pay for that as well.
    commit_ms:
      numberId === null ? null : await services.numbers.measureCommitMs(numberId, services.now),
    ignored,
  };
}

function countByPresence(presences: readonly PresenceView[]): Record<Presence, number> {
  const counts = { available: 0, busy: 0, away: 0, 'wrap-up': 0, offline: 0 };
  for (const { presence } of presences) counts[presence] += 1;
  return counts;
}

const viewOfPeriod = ({ fromMs, inbound, outbound, outcomes, teams }: PeriodStats) => ({
  from: iso(fromMs),
  inbound: viewOfDirection(inbound),
  outbound: viewOfDirection(outbound),
  outcomes: outcomes.map((item) => ({ ...item })),
  teams: teams.map(({ teamId, calls, talked, abandoned, waitMs }) => ({
    team_id: teamId,
    calls,
    talked,
    abandoned,
    wait_p50_ms: waitMs?.p50 ?? null,
    wait_p95_ms: waitMs?.p95 ?? null,
  })),
});

const viewOfDirection = ({ calls, answered, waitMs }: DirectionStats) => ({
  calls,
  answered,
  answered_share: calls === 0 ? null : answered / calls,
  wait_p50_ms: waitMs?.p50 ?? null,
  wait_p95_ms: waitMs?.p95 ?? null,
});
