// Empty storage with the real migrations before every test file.
import { applyD1Migrations, reset } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeAll } from 'vitest';
import type { TestEnv } from './support.ts';

beforeAll(async () => {
  await reset();
  const { DB, TEST_MIGRATIONS } = env as unknown as TestEnv;
  await applyD1Migrations(DB, TEST_MIGRATIONS);
  await empty(DB);
});

/** Observed: `reset` of @cloudflare/vitest-plugin 1.5.0 leaves D1 alone; teams, rules and settings hold for whatever comes after. */
async function empty(db: D1Database): Promise<void> {
  const { results } = await db
    .prepare(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '*_cf_*'`)
    .all<{ name: string }>();
  const tables = results.map(({ name }) => name).filter((name) => !/^(sqlite_|d1_)/.test(name));
  // Spec: SQLite, PRAGMA defer_foreign_keys: constraints are checked at the end of the batch.
  await db.batch([
    db.prepare('PRAGMA defer_foreign_keys = on'),
    ...tables.map((name) => db.prepare(`DELETE FROM "${name}"`)),
  ]);
}
