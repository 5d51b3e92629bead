// The page on which a person calls from a browser, and its connection to the simulator.
import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { BrowserPhone } from './browser-phone.ts';
import type { SimulatedCall } from './call.ts';
import { SdpValidationError } from './answer.ts';
import { checkReachable } from './control-calls.ts';
import { ControlError } from './control-http.ts';
import type { Platform } from './platform.ts';

const callRequest = z.strictObject({
  offer: z.string().min(1).max(20_000),
  from: z.string().regex(/^\d{1,15}$/),
  name: z.string().min(1).max(100),
});
const statistics = z.strictObject({
  connected: z.boolean(),
  packets_received: z.number().int().min(0),
});

/** Long enough for a reload to be seen as leaving, short enough not to keep a ghost ringing, in ms. */
const PAGE_ATTACH_MS = 5000;

/** `/phone/*`. */
export function phoneRoutes(platform: Platform): Hono {
  const app = new Hono();
  const phones = new Map<string, { call: SimulatedCall; phone: BrowserPhone }>();
  const page = readFile(new URL('phone.html', import.meta.url), 'utf8');
  app.get('/', async (c) => c.html(await page));
  app.post('/calls', async (c) => {
    const body = callRequest.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json({ error: z.prettifyError(body.error) }, 400);
    if (platform.calls.isBusy({ from: body.data.from }))
      return c.json({ error: 'this number is in a call' }, 409);
    try {
      checkReachable(platform, platform.numbers.default);
      const phone = new BrowserPhone(body.data.offer, platform.now);
      const call = place(platform, phone, body.data.from, body.data.name);
      phones.set(call.options.id, { call, phone });
      return c.json({ id: call.options.id }, 201);
    } catch (error) {
      if (error instanceof ControlError) return c.json({ error: error.message }, error.status);
      if (error instanceof SdpValidationError) return c.json({ error: error.message }, 400);
      throw error;
    }
  });
  app.get('/calls/:id/events', (c) => {
    const entry = phones.get(c.req.param('id'));
    if (!entry) return c.json({ error: 'no such call' }, 404);
    return streamSSE(c, async (stream) => {
      const gone = new Promise<void>((resolve) => {
        stream.onAbort(resolve);
        c.req.raw.signal.addEventListener('abort', () => resolve());
      });
      entry.phone.attach((message) => void stream.writeSSE({ data: JSON.stringify(message) }));
      await gone;
      phones.delete(c.req.param('id'));
      // A closed page is a caller who is gone.
      entry.call.end({ by: 'caller', reason: 'hangup' });
    });
  });
  app.post('/calls/:id/hangup', (c) => {
    phones.get(c.req.param('id'))?.call.end({ by: 'caller', reason: 'hangup' });
    return c.body(null, 204);
  });
  app.post('/calls/:id/statistics', async (c) => {
    const body = statistics.safeParse(await c.req.json().catch(() => undefined));
    if (!body.success) return c.json({ error: z.prettifyError(body.error) }, 400);
    const { connected, packets_received: packetsReceived } = body.data;
    phones.get(c.req.param('id'))?.phone.measured({ connected, packetsReceived });
    return c.body(null, 204);
  });
  return app;
}

function place(platform: Platform, phone: BrowserPhone, from: string, name: string): SimulatedCall {
  const call = platform.calls.create({
    number: platform.numbers.default,
    caller: { from, name, username: undefined, userId: `US.${from}00001` },
    media: phone,
    limits: platform.limits,
    faults: {},
    extra: {},
    onPhase: ({ phase, ending }) => {
      phone.tell({ type: 'state', state: phase, ...(ending ? { reason: reasonOf(ending) } : {}) });
    },
  });
  // A page that never listens for the answer is closed already.
  setTimeout(() => {
    if (!phone.isAttached) call.end({ by: 'caller', reason: 'hangup' });
  }, PAGE_ATTACH_MS).unref();
  return call;
}

function reasonOf(ending: NonNullable<SimulatedCall['ending']>): string {
  return `${ending.reason} by ${ending.by}`;
}
