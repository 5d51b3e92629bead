// The record. Times are epoch milliseconds in columns ending `_at_ms`. Only `worker/adapters` imports this file.
import { sql } from 'drizzle-orm';
import {
  blob,
  check,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core';
import { CALL_STATES } from '../domain/call.ts';
import { FOLLOW_UPS } from '../domain/flow.ts';
import { ROLES } from '../domain/roster.ts';
import { DISABLED_BECAUSE } from '../domain/webhook-delivery.ts';

/** Business numbers on which calls are made and taken. */
export const numbers = sqliteTable('numbers', {
  id: text().primaryKey(),
  provider: text({ enum: ['meta', '360dialog'] }).notNull(),
  phoneNumberId: text('phone_number_id').notNull().unique(),
  /** E.164 digits. */
  displayPhoneNumber: text('display_phone_number').notNull(),
  /** `<key id>:<base64 nonce>:<base64 ciphertext>`, AES-256-GCM with the number's id as associated data. */
  accessTokenSealed: text('access_token_sealed').notNull(),
  /** Replaces the provider's own address. */
  apiBaseUrl: text('api_base_url'),
  /** WhatsApp Business Account and app of the number, for the checks of the doctor; Meta only. */
  businessAccountId: text('business_account_id'),
  appId: text('app_id'),
  /** Secret that authenticates 360dialog's webhooks, sealed like the access token. */
  webhookSecretSealed: text('webhook_secret_sealed'),
  /** Where webhook bodies go that hold anything not solely ours. */
  forwardUrl: text('forward_url'),
  /** The provider's calling settings as last read or reported, JSON. */
  calling: text({ mode: 'json' }),
  /** What the provider restricts, as last reported: `[{ type, reason?, until_ms? }]`. */
  restrictions: text({ mode: 'json' }),
  /** What a caller is sent when Roomline could not serve the call. */
  fallbackText: text('fallback_text'),
  /** `always`: calls are recorded from the moment that they are connected. */
  recording: text({ enum: ['off', 'always'] })
    .notNull()
    .default('off'),
  /** What is played first where every call is recorded. */
  recordingAnnouncement: text('recording_announcement').references(() => prompts.id),
  /** How long recordings are kept, in days from the end of the call; null: for ever. */
  recordingRetentionDays: integer('recording_retention_days'),
  /** When a webhook for this number was last verified. */
  webhookAtMs: integer('webhook_at_ms'),
  createdAtMs: integer('created_at_ms').notNull(),
});

export const relays = sqliteTable('relays', {
  id: text().primaryKey(),
  /** SHA-256 of the secret, hex. */
  secretHash: text('secret_hash').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
  /** Since when its secret is refused. The row stays, because calls name their relay. */
  revokedAtMs: integer('revoked_at_ms'),
});

/** Who answers calls and looks after them: people, and AI agents that LiveKit dispatches. */
export const agents = sqliteTable('agents', {
  id: text().primaryKey(),
  name: text().notNull(),
  /** What a person may do; an AI agent is an `agent`. */
  role: text({ enum: ROLES }).notNull().default('agent'),
  /** How an identity provider names a person, in lower case. */
  email: text().unique(),
  /** SHA-256 of the API key, hex; nobody has the key of an AI agent, or of a person who only signs in. */
  keyHash: text('key_hash').notNull().unique(),
  /** What calls may ask for, JSON: names. */
  skills: text({ mode: 'json' }).notNull().default([]),
  /** How many calls they have at once. */
  capacity: integer().notNull().default(1),
  /** An AI agent as LiveKit dispatches it, JSON: `{ name, metadata }`; null for a person. */
  ai: text({ mode: 'json' }),
  createdAtMs: integer('created_at_ms').notNull(),
  /** Since when the key is refused. The row stays, because calls name the agent who had them. */
  revokedAtMs: integer('revoked_at_ms'),
});

/** Agents who share calls. */
export const teams = sqliteTable('teams', {
  /** What rules call it. */
  id: text().primaryKey(),
  name: text().notNull(),
  /** How long a member is left alone after a call of the team, in s; 0: not at all. */
  wrapUpS: integer('wrap_up_s').notNull().default(0),
  createdAtMs: integer('created_at_ms').notNull(),
});

export const teamMembers = sqliteTable(
  'team_members',
  {
    teamId: text('team_id')
      .notNull()
      .references(() => teams.id),
    agentId: text('agent_id')
      .notNull()
      .references(() => agents.id),
  },
  (table) => [
    primaryKey({ columns: [table.teamId, table.agentId] }),
    index('team_members_agent').on(table.agentId),
  ],
);

/** Every rule set that was ever in force; the one with the highest version is. Running calls keep theirs. */
export const ruleSets = sqliteTable('rule_sets', {
  version: integer().primaryKey({ autoIncrement: true }),
  /** As `domain/rules.ts` reads it. */
  rules: text({ mode: 'json' }).notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
  /** Who saved it: an agent's id, or `admin`. */
  createdBy: text('created_by').notNull(),
});

/** Keys of programs. */
export const apiKeys = sqliteTable('api_keys', {
  id: text().primaryKey(),
  name: text().notNull(),
  role: text({ enum: ROLES }).notNull(),
  /** SHA-256 of the key, hex. */
  keyHash: text('key_hash').notNull().unique(),
  createdAtMs: integer('created_at_ms').notNull(),
  /** Refused from then on; null: never. */
  expiresAtMs: integer('expires_at_ms'),
  /** To the minute. */
  lastUsedAtMs: integer('last_used_at_ms'),
  revokedAtMs: integer('revoked_at_ms'),
});

/** Links with which a person signs in for the first time, or again after losing their session. */
export const invitations = sqliteTable('invitations', {
  /** SHA-256 of the link's token, hex. */
  tokenHash: text('token_hash').primaryKey(),
  agentId: text('agent_id')
    .notNull()
    .references(() => agents.id),
  createdAtMs: integer('created_at_ms').notNull(),
  expiresAtMs: integer('expires_at_ms').notNull(),
  /** It works once. */
  usedAtMs: integer('used_at_ms'),
});

/** Browsers that somebody is signed in with. */
export const sessions = sqliteTable(
  'sessions',
  {
    /** SHA-256 of the cookie's value, hex. */
    tokenHash: text('token_hash').primaryKey(),
    agentId: text('agent_id')
      .notNull()
      .references(() => agents.id),
    createdAtMs: integer('created_at_ms').notNull(),
    /** To the minute. */
    lastUsedAtMs: integer('last_used_at_ms').notNull(),
    expiresAtMs: integer('expires_at_ms').notNull(),
  },
  (table) => [index('sessions_agent').on(table.agentId)],
);

/** Who changed what through the API. */
export const audit = sqliteTable(
  'audit',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    atMs: integer('at_ms').notNull(),
    /** `admin` for the operator's key, else the id of an agent or of an API key. */
    actor: text().notNull(),
    /** The route, such as `POST /v1/calls/:id/hold`. */
    action: text().notNull(),
    /** What it was done to: the id in the path. */
    target: text(),
    /** HTTP status of the answer. */
    status: integer().notNull(),
  },
  (table) => [index('audit_target').on(table.target, table.id)],
);

/** What holds for the whole deployment and is changed while it runs. */
export const settings = sqliteTable('settings', {
  name: text().primaryKey(),
  value: text({ mode: 'json' }).notNull(),
});

/** Where events are sent. */
export const webhookEndpoints = sqliteTable('webhook_endpoints', {
  id: text().primaryKey(),
  url: text().notNull(),
  /** Sealed like access tokens. */
  secretSealed: text('secret_sealed').notNull(),
  /** The secret before signs too until then. */
  previousSecretSealed: text('previous_secret_sealed'),
  previousUntilMs: integer('previous_until_ms'),
  /** Types of events that it gets, JSON; null: all. */
  events: text({ mode: 'json' }),
  /** The last of `call_events` that was looked at for it. */
  afterEventId: integer('after_event_id').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
  /** Since when nothing is sent there. */
  disabledAtMs: integer('disabled_at_ms'),
  disabledBecause: text('disabled_because', { enum: DISABLED_BECAUSE }),
  /** Since when every attempt failed. */
  failingSinceMs: integer('failing_since_ms'),
  /** Somebody is sending there until then, and nobody else is to. */
  sendingUntilMs: integer('sending_until_ms'),
  /** Since when it is not to be seen. The row goes after its deliveries. */
  deletedAtMs: integer('deleted_at_ms'),
});

/** Events on their way to an endpoint, those that arrived, and those that were given up. */
export const webhookDeliveries = sqliteTable(
  'webhook_deliveries',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    endpointId: text('endpoint_id')
      .notNull()
      .references(() => webhookEndpoints.id),
    /** Of the timeline entry; an endpoint gets each once, however often it is tried. */
    eventId: integer('event_id').notNull(),
    callId: text('call_id').notNull(),
    type: text().notNull(),
    /** The body, as it is signed. */
    body: text().notNull(),
    attempts: integer().notNull(),
    /** Null once it arrived or was given up; 0 before the first attempt, so that those come first, in their order. */
    nextAtMs: integer('next_at_ms'),
    deliveredAtMs: integer('delivered_at_ms'),
    /** HTTP status of the last attempt, or what went wrong. */
    lastStatus: integer('last_status'),
    lastError: text('last_error'),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [
    uniqueIndex('webhook_deliveries_event').on(table.endpointId, table.eventId),
    index('webhook_deliveries_due')
      .on(table.endpointId, table.nextAtMs, table.eventId)
      .where(sql`next_at_ms IS NOT NULL`),
  ],
);

export const contacts = sqliteTable('contacts', {
  id: text().primaryKey(),
  /** As the provider last reported it. */
  name: text(),
  createdAtMs: integer('created_at_ms').notNull(),
});

/** What somebody said of a contact; rules ask for it. */
export const contactTags = sqliteTable(
  'contact_tags',
  {
    contactId: text('contact_id')
      .notNull()
      .references(() => contacts.id),
    tag: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.contactId, table.tag] })],
);

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
    direction: text({ enum: ['inbound', 'outbound'] }).notNull(),
    numberId: text('number_id')
      .notNull()
      .references(() => numbers.id),
    contactId: text('contact_id').references(() => contacts.id),
    /** Null for an outbound call that the provider has not named yet. */
    providerCallId: text('provider_call_id'),
    relayId: text('relay_id'),
    claimedBy: text('claimed_by').references(() => agents.id),
    /** The team that it was last routed to; limits who sees it. */
    teamId: text('team_id'),
    /** Somebody should get back to the caller: nobody spoke with them, they left a message, or asked for a call. */
    followUp: text('follow_up', { enum: FOLLOW_UPS }),
    followedUpAtMs: integer('followed_up_at_ms'),
    createdAtMs: integer('created_at_ms').notNull(),
    ringingAtMs: integer('ringing_at_ms'),
    answeredAtMs: integer('answered_at_ms'),
    endedAtMs: integer('ended_at_ms'),
    result: text(),
    reason: text(),
    endedBy: text('ended_by'),
    detail: text(),
    /** Outbound: seconds from pickup in steps of 6, and what they cost by the loaded rate card. */
    billedS: integer('billed_s'),
    costMicros: integer('cost_micros'),
    costCurrency: text('cost_currency'),
    /** Prefix of the rate that priced it; the provider's monthly tiers count the minutes of each one separately. */
    ratePrefix: text('rate_prefix'),
    /** The rest of the call as JSON; `adapters/call-rows.ts` writes and reads it. */
    data: text({ mode: 'json' }).notNull(),
  },
  (table) => [
    uniqueIndex('calls_provider_call').on(table.numberId, table.providerCallId),
    index('calls_live')
      .on(table.id)
      .where(sql`is_live = 1`),
    index('calls_created').on(table.createdAtMs, table.id),
    index('calls_contact').on(table.contactId, table.answeredAtMs),
    index('calls_follow_up')
      .on(table.createdAtMs, table.id)
      .where(sql`follow_up IS NOT NULL AND followed_up_at_ms IS NULL`),
    index('calls_rate')
      .on(table.ratePrefix, table.answeredAtMs, table.billedS)
      .where(sql`rate_prefix IS NOT NULL`),
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

/** What is known about calling one contact from one number. */
export const permissions = sqliteTable(
  'permissions',
  {
    numberId: text('number_id')
      .notNull()
      .references(() => numbers.id),
    contactId: text('contact_id')
      .notNull()
      .references(() => contacts.id),
    /** The ledger as JSON; `domain/permission.ts` writes and reads it. */
    ledger: text({ mode: 'json' }).notNull(),
    /** Until when free-form messages may be sent: the customer service window. */
    windowUntilMs: integer('window_until_ms'),
    updatedAtMs: integer('updated_at_ms').notNull(),
  },
  (table) => [primaryKey({ columns: [table.numberId, table.contactId] })],
);

/** Requests that carried an `Idempotency-Key`, for 24 h. */
export const idempotencyKeys = sqliteTable('idempotency_keys', {
  /** Hash of who asked and the key. */
  id: text().primaryKey(),
  /** Hash of the request; another request with the same key is refused. */
  requestHash: text('request_hash').notNull(),
  callId: text('call_id').notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
});

/** Webhook bodies on their way to somebody else, and those that could not be delivered. */
export const forwards = sqliteTable(
  'forwards',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    url: text().notNull(),
    /** The body as it came, byte for byte. */
    body: blob({ mode: 'buffer' }).notNull(),
    /** Headers to send with it: content type and signature. */
    headers: text({ mode: 'json' }).notNull(),
    attempts: integer().notNull(),
    /** Null once it was given up. */
    nextAtMs: integer('next_at_ms'),
    lastError: text('last_error'),
    createdAtMs: integer('created_at_ms').notNull(),
  },
  (table) => [index('forwards_due').on(table.nextAtMs)],
);

/** Sounds that are played to callers. Their audio is in R2, under a key made of the id. */
export const prompts = sqliteTable('prompts', {
  id: text().primaryKey(),
  name: text().notNull(),
  durationMs: integer('duration_ms').notNull(),
  bytes: integer().notNull(),
  /** Of the file, hex. */
  sha256: text().notNull(),
  createdAtMs: integer('created_at_ms').notNull(),
  /** Since when the audio is in R2; a prompt without is on its way there, or was given up. */
  storedAtMs: integer('stored_at_ms'),
  /** Since when it is not to be used. The row goes after its audio. */
  deletedAtMs: integer('deleted_at_ms'),
});

/** What was said in calls. The audio is in R2. */
export const recordings = sqliteTable(
  'recordings',
  {
    callId: text('call_id')
      .primaryKey()
      .references(() => calls.id),
    /** The relay that brought it. */
    relayId: text('relay_id').notNull(),
    durationMs: integer('duration_ms').notNull(),
    bytes: integer().notNull(),
    /** Of its Opus packets, as the relay made it, hex. */
    sha256: text().notNull(),
    /** Null once the audio is gone: the row stays for a while, so that a relay that brings it once more does not undo that. */
    r2Key: text('r2_key'),
    createdAtMs: integer('created_at_ms').notNull(),
    /** Since when it is in R2 whole. */
    storedAtMs: integer('stored_at_ms'),
    /** From then on it is not shown, and its audio is deleted; null: never. */
    expiresAtMs: integer('expires_at_ms'),
  },
  (table) => [index('recordings_expiry').on(table.expiresAtMs)],
);

/** Prices of calls that the business starts, as the operator loaded them. */
export const rates = sqliteTable(
  'rates',
  {
    /** Country prefix of the callee, digits. */
    prefix: text().notNull(),
    /** The tier begins above this many minutes a month. */
    tierFromMinutes: integer('tier_from_minutes').notNull(),
    currency: text().notNull(),
    /** Millionths of the currency's unit for one minute. */
    microsPerMinute: integer('micros_per_minute').notNull(),
    /** First day on which it applies, YYYY-MM-DD. */
    validFrom: text('valid_from').notNull(),
  },
  (table) => [primaryKey({ columns: [table.prefix, table.tierFromMinutes, table.validFrom] })],
);
