// `connect`: the checks that a business-initiated call must pass, and the call itself.
import { asGraphError } from './call.ts';
import { isSipEnabled } from './call-settings.ts';
import { DAY_MS } from './clock.ts';
import { graphError, invalidParameter, type GraphError } from './graph-error.ts';
import { asObject, type Body } from './json-body.ts';
import { opaqueOf } from './call-request.ts';
import type { OutboundCall } from './outbound-call.ts';
import type { SimulatedNumber } from './numbers.ts';
import { LitePhone } from './phone.ts';
import type { PhonePreset } from './phone-preset.ts';
import type { Platform } from './platform.ts';
import { DEFAULT_SIGNAL } from './signals.ts';
import { blocking } from './restrictions.ts';
import { shownOf, type User } from './users.ts';

/**
 * Places a business-initiated call.
 *
 * Provider: "Business-initiated calls" and "Troubleshooting", error table, read 2026-06. In which order Meta checks is not
 * documented.
 *
 * @throws GraphError when Meta would refuse it; nobody's phone rings then
 */
export async function dial(
  platform: Platform,
  number: SimulatedNumber,
  body: Body,
): Promise<OutboundCall> {
  const sdp = parseOfferSession(body);
  const opaque = opaqueOf(body);
  checkNumber(platform, number);
  const user = findCallee(platform, number, body);
  checkPair(platform, number, user);
  const preset = platform.users.presetOf(user);
  const media = await answeringPhone(platform, sdp, preset);
  // While the phone was made ready, another request may have got through.
  try {
    checkPair(platform, number, user);
  } catch (error) {
    media.close();
    throw error;
  }
  number.dialedAtMs.push(platform.clock.now());
  return place(platform, { number, user, media, preset, opaque, isForeign: false });
}

type Placed = {
  number: SimulatedNumber;
  user: User;
  media: LitePhone;
  preset: PhonePreset;
  opaque: string | undefined;
  isForeign: boolean;
};

/** Makes the call of a phone that is ready; also for calls of other apps. */
export function place(platform: Platform, placed: Placed): OutboundCall {
  const { number, user, media, preset, opaque, isForeign } = placed;
  const call = platform.calls.dial({
    number,
    caller: shownOf(user),
    media,
    preset,
    opaque,
    isForeign,
    play: preset.play ?? DEFAULT_SIGNAL,
    limits: {
      ...platform.limits,
      firstMediaMs: preset.first_media_limit_ms ?? platform.limits.firstMediaMs,
      silenceMs: preset.silence_limit_ms ?? platform.limits.silenceMs,
    },
    faults: preset.faults ?? {},
  });
  media.connected.then(
    () => call.note('media up'),
    (error: unknown) => {
      if (call.phase !== 'ended') call.note('media failed', String(error));
    },
  );
  return call;
}

/** @throws GraphError when the offer is refused */
export async function answeringPhone(
  platform: Platform,
  sdp: string,
  preset: PhonePreset,
): Promise<LitePhone> {
  try {
    return await LitePhone.answering(sdp, {
      bind: platform.mediaBind,
      now: platform.now,
      play: preset.play ?? DEFAULT_SIGNAL,
      ...(preset.answer_setup ? { setup: preset.answer_setup } : {}),
      ...(preset.shape ? { shape: preset.shape } : {}),
      ...(preset.ipv6 ? { ipv6: preset.ipv6 } : {}),
      listen: preset.listen ?? true,
    });
  } catch (error) {
    throw asGraphError(error);
  }
}

function parseOfferSession(body: Body): string {
  const session = asObject(body['session'], 'session');
  if (session['sdp_type'] !== 'offer') {
    throw invalidParameter("session.sdp_type must be 'offer' for a business-initiated call");
  }
  const sdp = session['sdp'];
  if (typeof sdp !== 'string' || sdp === '') throw invalidParameter('session.sdp is required');
  return sdp;
}

/** Whether the number may call anybody at all. */
function checkNumber(platform: Platform, number: SimulatedNumber): void {
  const nowMs = platform.clock.now();
  const { traits } = number;
  checkCallingOn(number);
  if (!traits.has_payment_method) throw graphError(131044, 'The account has no payment method');
  if (!traits.bic_available) throw countryError();
  const pause = blocking(number.restrictions, 'outbound', nowMs);
  if (pause) throw graphError(138014, `Calling is paused: ${pause.reason}`);
  if (platform.calls.liveOf(number.id).length >= traits.concurrent_calls) {
    throw graphError(138002, `At most ${traits.concurrent_calls} calls at the same time`);
  }
  number.dialedAtMs = number.dialedAtMs.filter((atMs) => nowMs - atMs < DAY_MS);
  if (number.dialedAtMs.length >= traits.dials_per_day) {
    throw graphError(138005, `At most ${traits.dials_per_day} calls in 24 hours`);
  }
}

/** @throws GraphError 138000 or 131055: the number takes no call actions */
export function checkCallingOn(number: SimulatedNumber): void {
  checkCallingEnabled(number);
  if (isSipEnabled(number.calling)) {
    throw graphError(131055, 'SIP is enabled on this number: the calling API is not available');
  }
}

/** @throws GraphError 138000 */
export function checkCallingEnabled({ calling }: SimulatedNumber): void {
  if (calling['status'] !== 'ENABLED') throw graphError(138000, 'Calling API is not enabled');
}

/** Observed: 138013 with these extra fields. */
export function countryError(): GraphError {
  return graphError(138013, 'Business-initiated calls are not available for this number', {
    subcode: 2_494_102,
    isTransient: false,
    userMessage: 'Business-initiated calling is not available in the country of this number.',
  });
}

/**
 * The user who is called. `to` wins over `recipient`.
 *
 * Observed: a business-scoped user id in `to` is dropped silently; with nothing else to go by, nobody can be called.
 *
 * @throws GraphError 100, 131030 or 138001
 */
export function findCallee(platform: Platform, number: SimulatedNumber, body: Body): User {
  const { to, recipient } = body;
  if (to === undefined && recipient === undefined) {
    throw invalidParameter('One of to and recipient is required');
  }
  const digits = typeof to === 'string' ? to.replace(/^\+/, '') : '';
  const { allowed_recipients: allowed } = number.traits;
  let user: User | undefined;
  if (/^\d{1,15}$/.test(digits)) {
    if (allowed && !allowed.includes(digits))
      throw graphError(131030, 'Add the number to the list');
    user = platform.users.byPhone(digits);
  } else if (typeof recipient === 'string') user = platform.users.byUserId(recipient);
  if (!user || platform.users.presetOf(user).behaviour === 'uncallable') {
    throw graphError(138001, 'The recipient cannot be called');
  }
  return user;
}

function checkPair(platform: Platform, number: SimulatedNumber, user: User): void {
  const nowMs = platform.clock.now();
  const record = platform.permissions.recordOf(number, user);
  if (platform.calls.isBusy(user, number.id)) {
    throw graphError(138003, 'A call with this user is live already');
  }
  if (record.permission(nowMs).kind === 'none') {
    const status = number.traits.permission_error_status;
    throw graphError(138006, 'The user has not approved calls', { status });
  }
  const connected = record.connectedToday(nowMs);
  if (connected.freeAtMs !== undefined) {
    const next = new Date(connected.freeAtMs).toISOString();
    throw graphError(138012, `${connected.max} connected calls in 24 hours; next allowed: ${next}`);
  }
}
