// The control API: what tests, benchmarks and people use to make the simulator do something.
import { Hono } from 'hono';
import type { z } from 'zod';
import { callRoutes } from './control-calls.ts';
import { ControlError, json, parsed } from './control-http.ts';
import { numberRoutes } from './control-numbers.ts';
import { peopleRoutes } from './control-people.ts';
import { clockRequest, rawWebhook } from './control-schemas.ts';
import { faults } from './faults.ts';
import type { Platform } from './platform.ts';
import { request, verify, type Received } from './webhook-check.ts';
import { encodeAsMeta, signatureOf } from './wire.ts';

/** `/control/*`. @param baseUrl the simulator's own address, known once it listens */
export function controlRoutes(platform: Platform, baseUrl: () => string): Hono {
  const app = new Hono();
  app.onError((error, c) => {
    if (error instanceof ControlError) return c.json({ error: error.message }, error.status);
    throw error;
  });
  app.route('/', callRoutes(platform));
  app.route('/', peopleRoutes(platform));
  app.route('/', numberRoutes(platform, baseUrl));
  app.get('/faults', (c) => c.json(platform.faults.list()));
  app.post('/faults', async (c) => {
    platform.faults.add(await parsed(c, faults));
    return c.json(platform.faults.list());
  });
  app.delete('/faults', (c) => {
    platform.faults.clear();
    return c.json(platform.faults.list());
  });
  app.get('/strays', (c) => json(c, { graph: platform.strays }));
  const clockView = () => ({ nowMs: platform.clock.now(), aheadMs: platform.clock.aheadMs });
  app.get('/clock', (c) => json(c, clockView()));
  app.post('/clock', async (c) => {
    platform.clock.advance((await parsed(c, clockRequest)).advance_ms);
    return json(c, clockView());
  });
  app.post('/webhooks', async (c) => json(c, await sendRaw(platform, await parsed(c, rawWebhook))));
  app.post('/verify-webhook', async (c) => json(c, await verifyWebhook(platform)));
  return app;
}

function sendRaw(platform: Platform, body: z.output<typeof rawWebhook>): Promise<Received> {
  const text = body.text ?? encodeAsMeta(body.body ?? {});
  const headers = {
    'content-type': 'application/json',
    'x-hub-signature-256': body.signature ?? signatureOf(text, platform.app.secret),
  };
  return reached(platform, (url) => request(url, { method: 'POST', headers, body: text }));
}

function verifyWebhook(platform: Platform): Promise<Received & { verified: boolean }> {
  return reached(platform, (url) => verify(url, platform.app.verifyToken));
}

async function reached<Result>(
  { app }: Platform,
  act: (url: string) => Promise<Result>,
): Promise<Result> {
  const { webhookUrl } = app;
  if (!webhookUrl) throw new ControlError(409, 'no webhook address is set (WEBHOOK_URL)');
  try {
    return await act(webhookUrl);
  } catch (error) {
    throw new ControlError(502, `${webhookUrl} cannot be reached: ${String(error)}`);
  }
}
