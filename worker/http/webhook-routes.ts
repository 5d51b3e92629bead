// `GET|POST /webhooks/whatsapp`: Meta's address for this app. Raw bytes -> size -> signature -> JSON -> stored -> 200.
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { receiveWebhook } from '../handlers/receive-webhook.ts';
import type { Services } from '../services.ts';
import { matchesHash } from './authentication.ts';
import { Problem } from './problems.ts';
import { isSignedBy } from './verify-signature.ts';
import { sha256Hex } from '../adapters/sealed-secret.ts';

/** Meta's payloads are said to reach 3 MB. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;

export function webhookRoutes(services: Services): Hono {
  const app = new Hono();

  // Provider: verification request of a webhook subscription, Webhooks getting started, read 2026-06.
  app.get('/whatsapp', async (c) => {
    const {
      'hub.mode': mode,
      'hub.verify_token': token,
      'hub.challenge': challenge,
    } = c.req.query();
    const expected = await sha256Hex(services.config.META_VERIFY_TOKEN);
    const isOurs = mode === 'subscribe' && (await matchesHash(token ?? '', expected));
    if (!isOurs || challenge === undefined) {
      throw new Problem('forbidden', '`hub.verify_token` is not META_VERIFY_TOKEN');
    }
    return c.text(challenge);
  });

  app.post(
    '/whatsapp',
    bodyLimit({
      maxSize: BODY_BYTES_MAX,
      onError: () => {
        throw new Problem('too-large', `The limit is ${BODY_BYTES_MAX} bytes`);
      },
    }),
    async (c) => {
      const body = await c.req.arrayBuffer();
      const header = c.req.header('x-hub-signature-256');
      if (!(await isSignedBy(services.config.META_APP_SECRET, header, body))) {
        throw new Problem('bad-signature', 'Expected `X-Hub-Signature-256: sha256=<hex HMAC>`');
      }
      await receiveWebhook(services, parseBody(body));
      return c.body(null, 200);
    },
  );
  return app;
}

function parseBody(body: ArrayBuffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body));
  } catch {
    throw new Problem('not-json');
  }
}
