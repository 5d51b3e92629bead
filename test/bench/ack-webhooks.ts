// Signed webhooks of calls that nobody makes, for measuring how fast they are acknowledged.
import { randomBytes, randomInt } from 'node:crypto';
import { writeOffer } from '../local/simulator/offer.ts';
import {
  callsBody,
  signatureOf,
  unixSeconds,
  type BusinessNumber,
  type Caller,
} from '../local/simulator/wire.ts';

/** What is sent: the body and its `X-Hub-Signature-256`. */
export type Webhook = { readonly body: string; readonly signature: string };
/** One call as far as webhooks tell of it. */
export type AnnouncedCall = {
  readonly wacid: string;
  readonly connect: Webhook;
  /** The caller gives up. Made when it is sent, because it carries its time. */
  readonly terminate: () => Webhook;
};

/** Callers who call again and again; the others call once. */
const REGULARS = 50;

/** Every other caller has called before, once each of the regulars has. */
function callerOf(index: number): Caller {
  const isRegular = index % 2 === 1;
  const serial = isRegular ? ((index - 1) / 2) % REGULARS : REGULARS + index;
  const digits = String(serial).padStart(7, '0');
  return {
    from: `35194${digits}`,
    name: `Caller ${serial}`,
    username: undefined,
    userId: `PT.94${digits}`,
  };
}

/**
 * Announces a call now.
 *
 * @param index tells callers apart
 */
export function announceCall(
  number: BusinessNumber,
  appSecret: string,
  index: number,
): AnnouncedCall {
  const caller = callerOf(index);
  // Provider: wacids look like this; Calling API reference, samples, read 2026-06.
  const wacid = `wacid.${randomBytes(42).toString('base64')}`;
  const identity = {
    id: wacid,
    from: caller.from,
    from_user_id: caller.userId,
    to: number.displayPhoneNumber,
    direction: 'USER_INITIATED',
  };
  const signed = (callers: Caller[], event: object): Webhook => {
    const body = callsBody(number, callers, [{ ...identity, ...event }]);
    return { body, signature: signatureOf(body, appSecret) };
  };
  const nowMs = Date.now();
  const connect = {
    event: 'connect',
    timestamp: unixSeconds(nowMs),
    session: { sdp_type: 'offer', sdp: offerOf(nowMs) },
  };
  return {
    wacid,
    connect: signed([caller], connect),
    terminate: () =>
      signed([], {
        event: 'terminate',
        timestamp: unixSeconds(Date.now()),
        status: 'COMPLETED',
      }),
  };
}

const offerOf = (nowMs: number): string =>
  writeOffer({
    host: '127.0.0.1',
    port: 3478,
    ufrag: randomBytes(3).toString('hex'),
    password: randomBytes(16).toString('base64'),
    fingerprint: [...randomBytes(32)]
      .map((byte) => byte.toString(16).padStart(2, '0').toUpperCase())
      .join(':'),
    ssrc: randomInt(1, 0xffff_ffff),
    nowMs,
  });
