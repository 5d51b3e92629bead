// A worker that plays schedules on its own database; `npm run bench -- schedules` starts some of it.
import { createCallStore } from '../../../worker/adapters/call-store-d1.ts';
import { openDatabase } from '../../../worker/adapters/database.ts';
import { prepare } from './database.ts';
import { playMany, shrink, type Found } from './many.ts';
import { createMemoryStore } from './memory-store.ts';
import type { Control } from './world.ts';

interface Order {
  readonly migrate?: readonly string[];
  readonly play?: {
    readonly seed: number;
    readonly count: number;
    readonly control?: Control;
    readonly inMemory: boolean;
  };
  readonly shrink?: Found;
  readonly control?: Control;
}

// What fails is meant to fail here, and is judged; the product's own words about it would fill the terminal.
console.error = () => undefined;

export default {
  async fetch(request: Request, { DB }: { DB: D1Database }): Promise<Response> {
    const asked: Order = await request.json();
    if (asked.migrate) {
      await DB.batch(asked.migrate.map((statement) => DB.prepare(statement)));
      await prepare(DB);
    }
    const store = createCallStore(openDatabase(DB));
    if (asked.play) {
      const { seed, count, control, inMemory } = asked.play;
      return Response.json(
        await playMany(inMemory ? createMemoryStore() : store, seed, count, control),
      );
    }
    return Response.json(asked.shrink ? await shrink(store, asked.shrink, asked.control) : null);
  },
};
