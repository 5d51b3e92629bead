// Endpoints of users as the worker sees them, and events of a call without the call going on.
import { vi } from 'vitest';
import { Webhook } from 'standardwebhooks';
import { catchUpDeliveries, sendDeliveries } from '../../worker/handlers/deliver-events.ts';
import { newSigningSecret } from '../../worker/adapters/signed-request.ts';
import { seal } from '../../worker/adapters/sealed-secret.ts';
import type { PublicEvent } from '../../worker/domain/public-event.ts';
import type { TimelineType } from '../../worker/domain/decision.ts';
import { ownServices } from './own-services.ts';
import { testEnv, unique } from './support.ts';

export interface Received {
  readonly url: string;
  readonly id: string;
  readonly headers: Headers;
  readonly body: string;
  readonly event: {
    type: PublicEvent;
    timestamp: string;
    data: { call: { id: string; state: string }; detail?: Record<string, unknown> };
  };
  readonly redirect: string | undefined;
}

type Answer = (received: Received) => Response | Promise<Response>;

/** Everything that is sent to addresses of `receiver.test`; other requests succeed. Until `vi.restoreAllMocks`. */
export class Receivers {
  readonly received: Received[] = [];
  /** Answers per address, used up in order; 200 afterwards. */
  readonly answers: Record<string, Answer[]> = {};

  constructor() {
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init);
      if (!new URL(request.url).hostname.endsWith('receiver.test')) {
        return Response.json({ messaging_product: 'whatsapp', success: true });
      }
      const body = await request.text();
      const received: Received = {
        url: request.url,
        id: request.headers.get('webhook-id') ?? '',
        headers: request.headers,
        body,
        event: JSON.parse(body) as Received['event'],
        redirect: init?.redirect,
      };
      this.received.push(received);
      return (await this.answers[request.url]?.shift()?.(received)) ?? new Response(null);
    });
  }

  at(url: string): Received[] {
    return this.received.filter((received) => received.url === url);
  }
}

/** Whether a receiver with this secret takes it, as of when it was sent. */
export function isVerified({ body, headers }: Received, secret: string): boolean {
  // The package compares with the present: the signature is checked, the age is not.
  const atMs = Number(headers.get('webhook-timestamp')) * 1000;
  vi.useFakeTimers({ toFake: ['Date'], now: atMs });
  try {
    new Webhook(secret).verify(body, Object.fromEntries(headers));
    return true;
  } catch {
    return false;
  } finally {
    vi.useRealTimers();
  }
}

/** The worker's services on a clock of the test's own, and what goes on without anybody's request. */
export function ownDeliveries(startMs = Date.now()) {
  const clock = { ms: startMs };
  const services = ownServices({}, { now: () => clock.ms });
  const pause = (ms: number): Promise<void> => {
    clock.ms += ms;
    return Promise.resolve();
  };
  const send = async (id: string): Promise<void> => {
    while (await sendDeliveries(services, id, pause));
  };
  return {
    clock,
    services,
    send,
    everyMinute: () => catchUpDeliveries(services, send),
    /** An endpoint that gets what happens from now on. */
    endpoint: async (
      url = `https://${unique('a')}.receiver.test/`,
      events: PublicEvent[] | null = null,
    ) => {
      const id = crypto.randomUUID();
      const secret = newSigningSecret();
      const secretSealed = await seal(services.config.TOKEN_ENCRYPTION_KEYS, id, secret);
      await services.webhooks.add({ id, url, events, secretSealed, createdAtMs: clock.ms });
      return { id, url, secret };
    },
  };
}

let seq = 1_000;

/** Writes entries into the timeline of a call, past the Switchboard. */
export async function happened(callId: string, ...types: TimelineType[]): Promise<void> {
  await testEnv.DB.batch(
    types.map((type) =>
      testEnv.DB.prepare(
        'INSERT INTO call_events (call_id, seq, at_ms, type, detail) VALUES (?, ?, ?, ?, ?)',
      ).bind(callId, ++seq, Date.now(), type, JSON.stringify({ seq })),
    ),
  );
}
