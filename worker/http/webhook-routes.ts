// Where providers send webhooks: `GET|POST /webhooks/whatsapp` for Meta, `POST /webhooks/360dialog/:numberId` for 360dialog. Raw
// bytes -> size -> authenticity -> JSON -> stored -> 200.
import { Hono, type Context } from 'hono';
import { queryable } from '../adapters/database.ts';
import { matchesHash, sha256Hex, unseal } from '../adapters/sealed-secret.ts';
import { SECRET_CHARS_MAX } from '../config.ts';
import type { NumberId } from '../domain/ids.ts';
import { countUpdates, UPDATES_MAX } from '../domain/webhook.ts';
import { forwardForeign } from '../handlers/forward-webhook.ts';
import { receiveWebhook } from '../handlers/receive-webhook.ts';
import type { BusinessNumber } from '../ports.ts';
import type { Services } from '../services.ts';
import { bearerOf } from './authentication.ts';
import { InFlight } from './in-flight.ts';
import { limitBody, parseJson } from './json-body.ts';
import { sourceOf, type KeyGuard } from './key-guard.ts';
import { webhookSecretOwner } from './number-routes.ts';
import { Problem } from './problems.ts';
import { isSignedBy } from './verify-signature.ts';

/** Meta's payloads are said to reach 3 MB. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** Our own have 36. */
const NUMBER_ID_CHARS_MAX = 64;
/** Provider: a number of some ten digits. */
const CHALLENGE_CHARS_MAX = 256;
/** How often an isolate tells the record that a number hears of its provider, in ms. */
const HEARD_STEP_MS = 60_000;

export function webhookRoutes(services: Services, guard: KeyGuard): Hono {
  const app = new Hono();
  const hear = createHearing(services);
  const inFlight = new InFlight();
  const limit = limitBody(BODY_BYTES_MAX);

  // Provider: verification request of a webhook subscription, Webhooks getting started, read 2026-06.
  app.get('/whatsapp', async (c) => {
    const {
      'hub.mode': mode,
      'hub.verify_token': token,
      'hub.challenge': challenge,
    } = c.req.query();
    const expected = await sha256Hex(services.config.META_VERIFY_TOKEN);
    const isOurs =
      mode === 'subscribe' &&
      token !== undefined &&
      token.length <= SECRET_CHARS_MAX &&
      (await matchesHash(token, expected));
    if (!isOurs || challenge === undefined || challenge.length > CHALLENGE_CHARS_MAX) {
      throw new Problem('forbidden', '`hub.verify_token` is not META_VERIFY_TOKEN');
    }
    return c.text(challenge);
  });

  app.post('/whatsapp', limit, async (c) => {
    const body = await c.req.arrayBuffer();
    const header = c.req.header('x-hub-signature-256');
    if (!(await isSignedBy(services.config.META_APP_SECRET, header, body))) {
      throw new Problem('bad-signature', 'Expected `X-Hub-Signature-256: sha256=<hex HMAC>`');
    }
    return accept(c, body);
  });

  // Provider: 360dialog, webhooks, read 2026-06: Meta's payloads; no challenge and none of Meta's signatures.
  app.post('/360dialog/:numberId', limit, async (c) => {
    const body = await c.req.arrayBuffer();
    const number = await authenticDialogNumber(services, guard, c, body);
    return accept(c, body, number);
  });

  function accept(c: Context, body: ArrayBuffer, only?: BusinessNumber): Promise<Response> {
    return inFlight.run(body.byteLength, async () => {
      const json = parseJson(body);
      if (countUpdates(json) > UPDATES_MAX) {
        throw new Problem('too-large', `The limit is ${UPDATES_MAX} updates`);
      }
      const facts = await receiveWebhook(services, json, only);
      await forwardForeign(services, body, c.req.raw.headers, facts);
      hear(only ? [only.phoneNumberId] : facts.phoneNumberIds);
      return c.body(null, 200);
    });
  }
  return app;
}

/**
 * The number that a 360dialog webhook is for, once it has shown the number's secret: in the header that was configured for it, or
 * as the key of a signature.
 *
 * @throws Problem `bad-signature`, the same for an unknown number
 */
async function authenticDialogNumber(
  services: Services,
  guard: KeyGuard,
  c: Context,
  body: ArrayBuffer,
): Promise<BusinessNumber> {
  const id = (c.req.param('numberId') ?? '').slice(0, NUMBER_ID_CHARS_MAX) as NumberId;
  const shown = bearerOf(c);
  const signature = c.req.header('x-360dialog-signature');
  const key = shown === null ? null : await sha256Hex(`${id}\n${shown}`);
  const number =
    shown === null && signature === undefined
      ? null
      : await guard.check(sourceOf(c), key, async () => {
          const found = await services.numbers.findWebhookSecret(id);
          if (found?.number.provider !== '360dialog' || found.sealed === null) return null;
          const keys = services.config.TOKEN_ENCRYPTION_KEYS;
          const secret = await unseal(keys, webhookSecretOwner(id), found.sealed);
          const hasHeader = shown !== null && (await matchesHash(shown, await sha256Hex(secret)));
          return hasHeader || (await isSignedBy([secret], signature, body)) ? found.number : null;
        });
  if (number) return number;
  throw new Problem(
    'bad-signature',
    'Expected the Authorization header of the registration, or `x-360dialog-signature: <hex HMAC>`',
  );
}

/** Notes when numbers last heard of their provider, without a write for every webhook. */
function createHearing({ numbers, now, later }: Services): (ids: readonly string[]) => void {
  const lastMs = new Map<string, number>();
  /** Ids of strangers stand in webhooks too, so what is remembered is bounded. */
  const idsMax = 1_000;
  return (ids) => {
    const nowMs = now();
    const due = ids.filter((id) => nowMs - (lastMs.get(id) ?? -Infinity) >= HEARD_STEP_MS);
    if (due.length === 0) return;
    if (lastMs.size + due.length > idsMax) lastMs.clear();
    for (const id of due) lastMs.set(id, nowMs);
    const noted = [...queryable(due)].map((some) => numbers.heard(some, nowMs));
    later(
      Promise.all(noted).catch((error: unknown) => {
        console.error('webhook.not-noted', { error: String(error) });
      }),
    );
  };
}
