// The database of a local stack, reached past the worker, to let it refuse what the worker writes.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Stack } from './stack.ts';

/** Where the runtime keeps D1, below the folder that it was given. Observed with wrangler 4.156. */
const FOLDER = 'worker/v3/d1/miniflare-D1DatabaseObject';
const WRITES = ['INSERT', 'UPDATE', 'DELETE'] as const;

/** See the head of this file. */
export class StackRecord {
  readonly #db: DatabaseSync;

  private constructor(db: DatabaseSync) {
    this.#db = db;
  }

  static open({ options }: Stack): StackRecord {
    const folder = join(options.stateFolder, FOLDER);
    const [file, ...others] = readdirSync(folder).filter((name) =>
      /^[0-9a-f]+\.sqlite$/.test(name),
    );
    if (file === undefined || others.length > 0) throw new Error(`no single database in ${folder}`);
    // The worker may be writing just now.
    return new StackRecord(new DatabaseSync(join(folder, file), { timeout: 5_000 }));
  }

  /** From now on every write fails; what is stored can still be read. */
  refuseWrites(): void {
    this.#db.exec(
      this.#eachTrigger((name, table, write) => {
        const refusal = `BEGIN SELECT RAISE(FAIL, 'refused by the test'); END`;
        return `CREATE TRIGGER ${name} BEFORE ${write} ON "${table}" ${refusal};`;
      }),
    );
  }

  acceptWrites(): void {
    this.#db.exec(this.#eachTrigger((name) => `DROP TRIGGER IF EXISTS ${name};`));
  }

  close(): void {
    this.#db.close();
  }

  #eachTrigger(statement: (name: string, table: string, write: string) => string): string {
    const tables = this.#db
      .prepare(
        `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'`,
      )
      .all()
      .map(({ name }) => String(name));
    const statements = tables.flatMap((table) =>
      WRITES.map((write) => statement(`refuse_${write}_${table}`, table, write)),
    );
    return `BEGIN IMMEDIATE; ${statements.join(' ')} COMMIT;`;
  }
}
