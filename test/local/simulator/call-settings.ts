// The `calling` settings of a number: what Meta takes, what it refuses, and what a change announces. Pure.
import { checkCallHours } from './call-hours.ts';
import { graphError, invalidParameter } from './graph-error.ts';
import { asObject, type Body } from './json-body.ts';

/** The object under `calling`, with Meta's field names. */
export type CallingSettings = Readonly<Record<string, unknown>>;

/** A number on which calling is on and everything else is as Meta sets it. */
export const INITIAL_SETTINGS: CallingSettings = {
  status: 'ENABLED',
  call_icon_visibility: 'DEFAULT',
  callback_permission_status: 'DISABLED',
};

/** What the decision depends on besides the settings. */
export type SettingsFacts = {
  readonly nowMs: number;
  readonly messagingLimit: number;
  readonly isSandbox: boolean;
  /** Whether the app has the webhook field `calls`. */
  readonly isSubscribed: boolean;
};

/** Provider: "Call settings", read 2026-07: 2000 unique recipients; a public test number needs none. */
const MESSAGING_LIMIT_MIN = 2000;
const STATUSES = ['ENABLED', 'DISABLED'];

type Check = (value: unknown, facts: SettingsFacts) => void;

const oneOf =
  (name: string, values: readonly string[]): Check =>
  (value) => {
    if (!values.includes(value as string)) {
      throw invalidParameter(`calling.${name} must be one of ${values.join(', ')}`);
    }
  };

const listOf =
  (name: string, pattern: RegExp): Check =>
  (value) => {
    const isList = Array.isArray(value) && value.every((item) => pattern.test(String(item)));
    if (!isList) throw invalidParameter(`calling.${name} has an invalid value`);
  };

/** Provider: "Call settings", parameters, read 2026-07. HIDE_IN_CHAT is named by the FAQ alone and refused here. */
const CHECKS: Readonly<Record<string, Check>> = {
  status: oneOf('status', STATUSES),
  call_icon_visibility: oneOf('call_icon_visibility', ['DEFAULT', 'DISABLE_ALL']),
  callback_permission_status: oneOf('callback_permission_status', STATUSES),
  srtp_key_exchange_protocol: oneOf('srtp_key_exchange_protocol', ['DTLS', 'SDES']),
  call_icons: (value) => {
    const { restrict_to_user_countries: countries } = asObject(value, 'calling.call_icons');
    listOf('call_icons.restrict_to_user_countries', /^[A-Z]{2}$/)(countries, NO_FACTS);
  },
  audio: (value) => {
    const { additional_codecs: codecs } = asObject(value, 'calling.audio');
    listOf('audio.additional_codecs', /^PCM[AU]$/)(codecs, NO_FACTS);
  },
  call_hours: (value, { nowMs }) => checkCallHours(asObject(value, 'calling.call_hours'), nowMs),
  sip: (value) => checkSip(asObject(value, 'calling.sip')),
  voicemail: (value) => {
    const { status, triggers = [] } = asObject(value, 'calling.voicemail');
    oneOf('voicemail.status', STATUSES)(status, NO_FACTS);
    listOf('voicemail.triggers', /^(?:REJECT|TIMEOUT)$/)(triggers, NO_FACTS);
  },
};
const NO_FACTS: SettingsFacts = {
  nowMs: 0,
  messagingLimit: 0,
  isSandbox: false,
  isSubscribed: false,
};

/**
 * The settings after a POST, which names only what changes; `call_hours` is replaced as a whole.
 *
 * @throws GraphError when Meta would refuse it; nothing has changed then
 */
export function changedSettings(
  current: CallingSettings,
  body: Body,
  facts: SettingsFacts,
): CallingSettings {
  const change = asObject(body['calling'], 'calling');
  for (const [name, value] of Object.entries(change)) {
    const check = CHECKS[name];
    if (!check) throw invalidParameter(`calling.${name} is not a parameter that can be set`);
    check(value, facts);
  }
  const sip = { ...(current['sip'] as object), ...(change['sip'] as object) };
  const next = { ...current, ...change, ...(change['sip'] ? { sip } : {}) };
  if (change['status'] === 'ENABLED') checkEligible(next, facts);
  return next;
}

function checkEligible(next: CallingSettings, facts: SettingsFacts): void {
  if (!facts.isSandbox && facts.messagingLimit < MESSAGING_LIMIT_MIN) {
    throw graphError(138015, `The messaging limit must be at least ${MESSAGING_LIMIT_MIN}`);
  }
  if (!facts.isSubscribed && !isSipEnabled(next)) {
    throw graphError(138018, 'Subscribe to the webhook field calls or configure SIP first');
  }
}

/** Provider: "SIP", read 2026-09: one server per number. */
function checkSip(sip: Body): void {
  const { status, webhook_delivery: delivery, servers } = sip;
  if (status !== undefined) oneOf('sip.status', STATUSES)(status, NO_FACTS);
  if (delivery !== undefined) oneOf('sip.webhook_delivery', STATUSES)(delivery, NO_FACTS);
  if (servers === undefined) return;
  if (!Array.isArray(servers) || servers.length > 1) {
    throw invalidParameter('calling.sip.servers takes at most one server');
  }
  for (const server of servers) {
    const { hostname, port = 5061 } = asObject(server, 'calling.sip.servers[]');
    if (typeof hostname !== 'string' || !/^[\w.-]+$/.test(hostname)) {
      throw invalidParameter('calling.sip.servers[].hostname must be a host name');
    }
    if (!Number.isInteger(port)) throw invalidParameter('calling.sip.servers[].port is invalid');
  }
}

export function isSipEnabled(settings: CallingSettings): boolean {
  return (settings['sip'] as Body | undefined)?.['status'] === 'ENABLED';
}

/** Provider: "Call settings", account_settings_update, read 2026-07: only these fields announce themselves. */
const ANNOUNCED = [
  'status',
  'call_icon_visibility',
  'callback_permission_status',
  'srtp_key_exchange_protocol',
];

/** Whether a change is one that `account_settings_update` tells of. */
export function isAnnounced(before: CallingSettings, after: CallingSettings): boolean {
  return (
    ANNOUNCED.some((name) => before[name] !== after[name]) ||
    isSipEnabled(before) !== isSipEnabled(after)
  );
}
