// Requests to a webhook address outside the delivery of events: verification, and bodies made by hand.
import { randomBytes } from 'node:crypto';

/** The answer of the webhook's receiver. */
export type Received = { readonly status: number; readonly body: string };

/** @throws TypeError when nobody listens there */
export async function request(url: string, init: RequestInit): Promise<Received> {
  const response = await fetch(url, { ...init, redirect: 'manual' });
  return { status: response.status, body: await response.text() };
}

/** Provider: "Webhooks", verification requests, read 2026-06: the challenge must come back as it is. */
export async function verify(
  url: string,
  verifyToken: string,
): Promise<Received & { verified: boolean }> {
  const challenge = String(randomBytes(4).readUInt32BE(0));
  const asked = new URL(url);
  asked.searchParams.set('hub.mode', 'subscribe');
  asked.searchParams.set('hub.verify_token', verifyToken);
  asked.searchParams.set('hub.challenge', challenge);
  const received = await request(asked.href, { method: 'GET' });
  return { ...received, verified: received.status === 200 && received.body === challenge };
}
