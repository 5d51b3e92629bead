// `/control/calls` and `/control/foreign-calls`: calls that users and other apps make, and what users do in a call.
import { randomBytes } from 'node:crypto';
import { Hono, type Context } from 'hono';
import type { z } from 'zod';
import type { SimulatedCall } from './call.ts';
import { isOpen } from './call-hours.ts';
import { isSipEnabled } from './call-settings.ts';
import { summaryOf, viewOf } from './call-view.ts';
import { ControlError, json, numberOf, parsed } from './control-http.ts';
import { foreignCall, hangUpRequest, newCall, playRequest } from './control-schemas.ts';
import { answeringPhone, place } from './dial.ts';
import { faults } from './faults.ts';
import type { Body } from './json-body.ts';
import type { SimulatedNumber } from './numbers.ts';
import { OutboundCall } from './outbound-call.ts';
import { LitePhone } from './phone.ts';
import type { Platform } from './platform.ts';
import { blocking } from './restrictions.ts';
import { DEFAULT_SIGNAL } from './signals.ts';
import { DEFAULT_NAME, userIdFor } from './users.ts';
import { eventsBody } from './wire.ts';

let nextCaller = 0;

export function callRoutes(platform: Platform): Hono {
  const app = new Hono();
  const found = (c: Context): SimulatedCall => {
    const id = c.req.param('id') ?? '';
    const call = platform.calls.find(id);
    if (!call) throw new ControlError(404, `no call ${id}`);
    return call;
  };
  const ringing = (c: Context): OutboundCall => {
    const call = found(c);
    if (call instanceof OutboundCall && call.phase === 'ringing') return call;
    throw new ControlError(
      409,
      `the call is ${call.direction} and ${call.phase}: nobody's phone rings`,
    );
  };
  app.get('/calls', (c) => json(c, { calls: platform.calls.list().map(summaryOf) }));
  app.post('/calls', async (c) => {
    const call = await placeCall(platform, await parsed(c, newCall));
    return json(c, summaryOf(call), 201);
  });
  app.get('/calls/:id', (c) => json(c, viewOf(found(c))));
  app.post('/calls/:id/hangup', async (c) => {
    const call = found(c);
    const { error_code: code } = await parsed(c, hangUpRequest);
    const by = call.direction === 'inbound' ? 'caller' : 'callee';
    if (code === undefined) call.end({ by, reason: 'hangup' });
    else call.end({ by: 'platform', reason: 'failed', code });
    return json(c, summaryOf(call));
  });
  app.post('/calls/:id/answer', (c) => {
    const call = ringing(c);
    if (!call.pickUpNow()) throw new ControlError(409, 'the user has just declined');
    return json(c, summaryOf(call));
  });
  app.post('/calls/:id/reject', async (c) => {
    const call = ringing(c);
    if (!(await call.decline())) throw new ControlError(409, 'the user has just declined');
    return json(c, summaryOf(call));
  });
  app.post('/calls/:id/play', async (c) => {
    const call = found(c);
    if (call.phase !== 'live') throw new ControlError(409, `the call is ${call.phase}, not live`);
    play(call, await parsed(c, playRequest));
    return json(c, summaryOf(call));
  });
  app.post('/calls/:id/faults', async (c) => {
    const call = found(c);
    call.faults.add(await parsed(c, faults));
    return c.json(call.faults.list());
  });
  app.post('/foreign-calls', async (c) => {
    const call = await placeForeign(platform, await parsed(c, foreignCall));
    return json(c, summaryOf(call), 201);
  });
  return app;
}

/** Makes a phone and lets it call. */
async function placeCall(
  platform: Platform,
  body: z.output<typeof newCall>,
): Promise<SimulatedCall> {
  const number = numberOf(platform, body.number);
  checkReachable(platform, number);
  const from = body.from === undefined ? freshNumber() : (body.from ?? undefined);
  const known = from === undefined ? undefined : platform.users.byPhone(from);
  const userId = body.user_id ?? known?.userId ?? userIdFor(from);
  // Provider: "Troubleshooting", 138003, read 2026-06: one live call per business and user.
  if (platform.calls.isBusy({ from, userId })) {
    throw new ControlError(409, `${from ?? ''} is in a call already`);
  }
  const media = await LitePhone.create({
    bind: platform.mediaBind,
    shape: body.shape,
    listen: body.listen,
    now: platform.now,
    play: body.play ?? DEFAULT_SIGNAL,
    ...(body.ipv6 ? { ipv6: body.ipv6 } : {}),
  });
  const call = platform.calls.create({
    number,
    caller: {
      from,
      name: body.name ?? known?.name ?? DEFAULT_NAME,
      username: body.username ?? known?.username,
      userId,
    },
    media,
    play: body.play ?? DEFAULT_SIGNAL,
    limits: {
      answerMs: body.answer_limit_ms ?? platform.limits.answerMs,
      firstMediaMs: body.first_media_limit_ms ?? platform.limits.firstMediaMs,
      silenceMs: body.silence_limit_ms ?? platform.limits.silenceMs,
    },
    faults: body.faults,
    extra: {
      ...(body.cta_payload ? { cta_payload: body.cta_payload } : {}),
      ...(body.deeplink_payload ? { deeplink_payload: body.deeplink_payload } : {}),
    },
  });
  media.connected.then(
    () => call.note('media up'),
    (error: unknown) => {
      if (call.phase !== 'ended') call.note('media failed', String(error));
    },
  );
  if (body.hang_up_after_ms !== undefined) {
    const hangUp = () => call.end({ by: 'caller', reason: 'hangup' });
    setTimeout(hangUp, body.hang_up_after_ms).unref();
  }
  return call;
}

/**
 * Whether a user can call this number at all. Without a payment method the call fails, and the business hears of it.
 *
 * Provider: "Call settings" and "Troubleshooting" (131044 on a user-initiated call), read 2026-07: enforced at once.
 */
export function checkReachable(platform: Platform, number: SimulatedNumber): void {
  const nowMs = platform.clock.now();
  const refuse = (why: string): never => {
    throw new ControlError(409, `nobody can call this number: ${why}`);
  };
  if (number.calling['status'] !== 'ENABLED') refuse('calling is disabled');
  if (isSipEnabled(number.calling)) refuse('SIP is enabled, the call goes there');
  if (!isOpen(number.calling['call_hours'] as Body | undefined, nowMs))
    refuse('call hours are over');
  const restriction = blocking(number.restrictions, 'inbound', nowMs);
  if (restriction) refuse(restriction.type);
  if (number.traits.has_payment_method) return;
  const text = 'Business eligibility payment issue';
  const errors = [{ code: 131044, title: text, message: text }];
  void number.send('calls', 'errors', eventsBody(number.identity, 'calls', { errors }));
  refuse('it has no payment method');
}

/** Provider: "FAQ", read 2026-09: every app of the account sees every call, those that other apps place included. */
async function placeForeign(
  platform: Platform,
  body: z.output<typeof foreignCall>,
): Promise<OutboundCall> {
  const { to, number: numberId, opaque, ...change } = body;
  const number = numberOf(platform, numberId);
  const user = platform.users.byPhone(to ?? freshNumber());
  if (platform.calls.isBusy(user, number.id)) throw new ControlError(409, 'the user is in a call');
  const preset = { ...platform.users.presetOf(user), ...change };
  const media = await answeringPhone(platform, foreignOffer(), preset);
  return place(platform, { number, user, media, preset, opaque, isForeign: true });
}

/** The offer of somebody whose media nobody here sees. */
function foreignOffer(): string {
  const fingerprint = (randomBytes(32).toString('hex').toUpperCase().match(/../g) ?? []).join(':');
  return [
    'v=0',
    'o=- 1 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE audio',
    'm=audio 9 UDP/TLS/RTP/SAVPF 111 126',
    'c=IN IP4 0.0.0.0',
    'a=candidate:1 1 udp 2130706431 192.0.2.99 40000 typ host',
    `a=ice-ufrag:${randomBytes(4).toString('hex')}`,
    `a=ice-pwd:${randomBytes(16).toString('hex')}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    'a=setup:actpass',
    'a=mid:audio',
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:111 opus/48000/2',
    'a=rtpmap:126 telephone-event/8000',
    'a=ptime:20',
    'a=ssrc:1 cname:another-app',
    '',
  ].join('\r\n');
}

/** Numbers of the range kept for fiction (555-0100 to 0199 in several area codes), one after the other. */
function freshNumber(): string {
  const count = nextCaller++;
  return `1${201 + (Math.floor(count / 100) % 700)}55501${String(count % 100).padStart(2, '0')}`;
}

function play(call: SimulatedCall, body: z.output<typeof playRequest>): void {
  const { media } = call.options;
  if (body.signal) media.startTalking(body.signal);
  if (body.send === 'talk') media.startTalking(call.options.play);
  if (body.send === 'listen') media.stopTalking();
  if (body.send === 'reports') media.stopSending(true);
  if (body.send === 'nothing') media.stopSending();
  if (body.keys) media.press(body.keys, body.key_ms);
  call.note('play', JSON.stringify(body));
}
