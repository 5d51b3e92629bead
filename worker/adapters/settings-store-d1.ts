// What holds for the whole deployment and is changed while it runs.
import type { DrizzleD1Database } from 'drizzle-orm/d1';
import { settings } from '../db/schema.ts';
import type { NumberMasking } from '../domain/masking.ts';

export interface Settings {
  /** Whose view of users' phone numbers is cut down. */
  readonly numberMasking: NumberMasking;
}

export type SettingsStore = ReturnType<typeof createSettingsStore>;

export function createSettingsStore(db: DrizzleD1Database) {
  return {
    read: async (): Promise<Settings> => settingsFrom(await db.select().from(settings)),

    async setNumberMasking(value: NumberMasking): Promise<void> {
      await db
        .insert(settings)
        .values({ name: 'number_masking', value })
        .onConflictDoUpdate({ target: settings.name, set: { value } });
    },
  };
}

/** The API has checked what is stored, which is what makes the cast sound. */
export function settingsFrom(rows: readonly (typeof settings.$inferSelect)[]): Settings {
  const masking = rows.find(({ name }) => name === 'number_masking')?.value;
  return { numberMasking: (masking as NumberMasking | undefined) ?? 'none' };
}
