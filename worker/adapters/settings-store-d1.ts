// What holds for the whole deployment and is changed while it runs.
import { eq } from 'drizzle-orm';
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { settings } from '../db/schema.ts';
import type { NumberMasking } from '../domain/masking.ts';

export interface Settings {
  /** Whose view of users' phone numbers is cut down. */
  readonly numberMasking: NumberMasking;
}

export type SettingsStore = ReturnType<typeof createSettingsStore>;

/** Only the API writes them, which is what makes the cast sound. */
export function createSettingsStore(db: DrizzleD1Database) {
  return {
    async read(): Promise<Settings> {
      const [row] = await db.select().from(settings).where(eq(settings.name, 'number_masking'));
      return { numberMasking: (row?.value as NumberMasking | undefined) ?? 'none' };
    },

    async setNumberMasking(value: NumberMasking): Promise<void> {
      await db
        .insert(settings)
        .values({ name: 'number_masking', value })
        .onConflictDoUpdate({ target: settings.name, set: { value } });
    },
  };
}
