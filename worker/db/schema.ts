// The record. Times are epoch milliseconds in columns ending `_at_ms`. Only `worker/adapters` imports this file.
import { sql } from 'drizzle-orm';
import {
  check,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';
import { CALL_STATES } from '../domain/call.ts';

/** Business numbers on which calls are made and taken. */
export const numbers = sqliteTable('numbers', {
  id: text().primaryKey(),
  provider: text({ enum: ['meta'] }).notNull(),
  phoneNumberId: text('phone_number_id').notNull().unique(),
  /** E.164 digits. */
  displayPhoneNumber: text('display_phone_number').notNull(),
  /** `<key id>:<base64 nonce>:<base64 ciphertext>`, AES-256-GCM with the number's id as associated data. */
  accessTokenSealed: text('access_token_sealed').notNull(),
  /** Replaces the provider's own address. */
  apiBaseUrl: text('api_base_url'),
  createdAtMs: integer('created_at_ms').notNull(),
});

export const relays = sqliteTable('relays', {
  id: text().primaryKey(),
  /** SHA-256 of the secret, hex. */
  secretHash: text('secret_hash').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
});

/** People who answer calls. */
export const agents = sqliteTable('agents', {
  id: text().primaryKey(),
  name: text().notNull(),
  /** SHA-256 of the API key, hex. */
  keyHash: text('key_hash').notNull().unique(),
  createdAtMs: integer('created_at_ms').notNull(),
});

export const contacts = sqliteTable('contacts', {
  id: text().primaryKey(),
  /** As the provider last reported it. */
  name: text(),
  createdAtMs: integer('created_at_ms').notNull(),
});

/** What a contact is known by; one person may have several, and none need be a phone number. */
export const contactIdentities = sqliteTable(
  'contact_identities',
  {
    kind: text({ enum: ['phone', 'bsuid', 'parent_bsuid'] }).notNull(),
    value: text().notNull(),
    contactId: text('contact_id')
      .notNull()
      .references(() => contacts.id),
  },
  (table) => [
    primaryKey({ columns: [table.kind, table.value] }),
    index('contact_identities_contact').on(table.contactId),
  ],
);

export const calls = sqliteTable(
  'calls',
  {
    id: text().primaryKey(),
    version: integer().notNull(),
    state: text({ enum: CALL_STATES }).notNull(),
    /** 1 while the Switchboard has anything left to do for the call. */
    isLive: integer('is_live', { mode: 'boolean' }).notNull(),
    direction: text({ enum: ['inbound'] }).notNull(),
    numberId: text('number_id')
      .notNull()
      .references(() => numbers.id),
    contactId: text('contact_id').references(() => contacts.id),
    providerCallId: text('provider_call_id').notNull(),
    relayId: text('relay_id'),
    claimedBy: text('claimed_by').references(() => agents.id),
    createdAtMs: integer('created_at_ms').notNull(),
    ringingAtMs: integer('ringing_at_ms'),
    answeredAtMs: integer('answered_at_ms'),
    endedAtMs: integer('ended_at_ms'),
    result: text(),
    reason: text(),
    endedBy: text('ended_by'),
    detail: text(),
    /** The rest of the call as JSON; `adapters/call-rows.ts` writes and reads it. */
    data: text({ mode: 'json' }).notNull(),
  },
  (table) => [
    uniqueIndex('calls_provider_call').on(table.numberId, table.providerCallId),
    index('calls_live')
      .on(table.id)
      .where(sql`is_live = 1`),
    index('calls_created').on(table.createdAtMs, table.id),
    check('calls_outcome', sql`(${table.result} IS NULL) = (${table.reason} IS NULL)`),
  ],
);

/**
 * The history of every call, one row a decision. The unique pair (call, seq) is the fence: a writer that decided on an outdated
 * call fails on it with its whole batch. `id` orders all events for subscribers. No foreign key to `calls`, because the fence
 * must be the first statement of the batch that creates the call.
 */
export const callEvents = sqliteTable(
  'call_events',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    callId: text('call_id').notNull(),
    seq: integer().notNull(),
    atMs: integer('at_ms').notNull(),
    type: text().notNull(),
    detail: text({ mode: 'json' }),
  },
  (table) => [uniqueIndex('call_events_fence').on(table.callId, table.seq)],
);

/** What was received and deliberately not acted on, counted by name. */
export const counters = sqliteTable('counters', {
  name: text().primaryKey(),
  count: integer().notNull(),
});
