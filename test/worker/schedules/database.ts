// What calls refer to: one number and a few agents, in a database whose migrations were applied.
import { AGENT_IDS, DISPLAY_PHONE_NUMBER, NUMBER_ID } from './deliveries.ts';

/** Harmless when repeated. */
export async function prepare(db: D1Database): Promise<void> {
  const number = db
    .prepare(
      `INSERT OR IGNORE INTO numbers
         (id, provider, phone_number_id, display_phone_number, access_token_sealed, created_at_ms)
       VALUES (?, 'meta', ?, ?, 'sealed', 0)`,
    )
    .bind(NUMBER_ID, `phone-${NUMBER_ID}`, DISPLAY_PHONE_NUMBER);
  const agents = AGENT_IDS.map((id) =>
    db
      .prepare(
        'INSERT OR IGNORE INTO agents (id, name, key_hash, created_at_ms) VALUES (?, ?, ?, 0)',
      )
      .bind(id, id, `hash of ${id}`),
  );
  await db.batch([number, ...agents]);
}
