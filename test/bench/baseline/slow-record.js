// Roomline as it is, with its database a network hop away: whatever is asked of D1 waits D1_DELAY_MS first, and is written down.
// The product gets no other way to the database.
import worker, * as product from '../../../worker/index.ts';

/** What was asked of D1 and when, oldest first, by the clock of the runtime in ms. */
const trips = [];

/** Spec: D1 Workers API; `prepare` and `bind` ask for nothing, everything else is one request. */
const slowStatement = (statement, sql, travel) => ({
  statement,
  sql,
  bind: (...values) => slowStatement(statement.bind(...values), sql, travel),
  all: () => travel([sql], () => statement.all()),
  run: () => travel([sql], () => statement.run()),
  raw: (options) => travel([sql], () => statement.raw(options)),
  first: (column) => travel([sql], () => statement.first(column)),
});

function slowRecord(db, delayMs) {
  const travel = async (statements, ask) => {
    const trip = { statements, fromMs: Date.now(), untilMs: null };
    trips.push(trip);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    try {
      return await ask();
    } finally {
      trip.untilMs = Date.now();
    }
  };
  return {
    prepare: (sql) => slowStatement(db.prepare(sql), sql, travel),
    batch: (parts) =>
      travel(
        parts.map(({ sql }) => sql),
        () => db.batch(parts.map(({ statement }) => statement)),
      ),
  };
}

const slow = (env) => ({ ...env, DB: slowRecord(env.DB, Number(env.D1_DELAY_MS)) });

export class Switchboard extends product.Switchboard {
  constructor(ctx, env) {
    super(ctx, slow(env));
  }
}

export class Outgoing extends product.Outgoing {
  constructor(ctx, env) {
    super(ctx, slow(env));
  }
}

/** For the benchmark: what was asked since it last wanted to know, or, with `POST`, one question of its own. */
async function report(request, env) {
  if (request.method === 'POST') await slow(env).DB.prepare('SELECT 1').all();
  return Response.json(trips.splice(0));
}

export default {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname === '/bench/trips') return report(request, env);
    return worker.fetch(request, slow(env), ctx);
  },
};
