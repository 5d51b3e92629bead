// What migrations do to rows that exist already.
import { readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';

const migration = (name: string): string =>
  readFileSync(new URL(`../../../migrations/${name}.sql`, import.meta.url), 'utf8');

it('calls of before outbound calls keep everything and cost nothing', () => {
  const db = new DatabaseSync(':memory:');
  db.exec(migration('0000_create_schema'));
  db.exec(`
    INSERT INTO numbers (id, provider, phone_number_id, display_phone_number, access_token_sealed, created_at_ms)
      VALUES ('n1', 'meta', '106', '351210000000', 'x', 1);
    INSERT INTO calls (id, version, state, is_live, direction, number_id, provider_call_id, created_at_ms, data)
      VALUES ('c1', 7, 'ended', 0, 'inbound', 'n1', 'wacid.1', 1, '{"a":1}');
  `);
  db.exec(migration('0001_add_outbound'));
  expect(db.prepare('SELECT * FROM calls').get()).toMatchObject({
    id: 'c1',
    version: 7,
    provider_call_id: 'wacid.1',
    billed_s: null,
    cost_micros: null,
    cost_currency: null,
    rate_prefix: null,
    data: '{"a":1}',
  });
});
