// Fails when worker/db/schema.ts would generate a migration that is not in migrations/ yet.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '../..');

/** Generates against a copy of the migrations and looks whether that added one. Nothing in the project changes. */
async function newMigrations(): Promise<string[]> {
  // Below the project, because drizzle-kit takes only paths relative to where it runs.
  const copy = await mkdtemp(join(ROOT, '.cache/migrations-'));
  try {
    await cp(join(ROOT, 'migrations'), copy, { recursive: true });
    const before = new Set(await readdir(copy));
    const out = copy.slice(ROOT.length + 1);
    const options = ['--dialect', 'sqlite', '--schema', 'worker/db/schema.ts', '--out', out];
    await promisify(execFile)(
      process.execPath,
      ['node_modules/drizzle-kit/bin.cjs', 'generate', ...options],
      { cwd: ROOT },
    );
    return (await readdir(copy)).filter((name) => name.endsWith('.sql') && !before.has(name));
  } finally {
    await rm(copy, { recursive: true });
  }
}

const added = await newMigrations();
if (added.length > 0) {
  console.error(
    'worker/db/schema.ts and migrations/ differ: run `npm run db:generate`, read the new file and commit both.',
  );
  process.exit(1);
}
