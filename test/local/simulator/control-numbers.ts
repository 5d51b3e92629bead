// `/control/numbers`: the business numbers, what is different about each, and what Meta says of its account.
import { randomInt } from 'node:crypto';
import { Hono } from 'hono';
import type { z } from 'zod';
import { accountBody, type AccountEvent } from './account-events.ts';
import { ControlError, json, numberOf, parsed } from './control-http.ts';
import { accountUpdate, newNumber } from './control-schemas.ts';
import { readSettings } from './number-actions.ts';
import { traitsChange } from './number-traits.ts';
import type { SimulatedNumber } from './numbers.ts';
import type { Platform } from './platform.ts';
import { inForce } from './restrictions.ts';

export function numberRoutes(platform: Platform, baseUrl: () => string): Hono {
  const app = new Hono();
  const view = (number: SimulatedNumber) => numberView(platform, number, baseUrl());
  app.get('/numbers', (c) => json(c, { numbers: platform.numbers.list().map(view) }));
  app.post('/numbers', async (c) => {
    const number = addNumber(platform, await parsed(c, newNumber));
    return json(c, view(number), 201);
  });
  app.get('/numbers/:id', (c) => {
    const number = numberOf(platform, c.req.param('id'));
    return json(c, { ...view(number), webhooks: number.sent });
  });
  app.post('/numbers/:id', async (c) => {
    const number = numberOf(platform, c.req.param('id'));
    number.traits = { ...number.traits, ...(await parsed(c, traitsChange)) };
    return json(c, view(number));
  });
  app.post('/numbers/:id/account-update', async (c) => {
    const number = numberOf(platform, c.req.param('id'));
    await announce(platform, number, await parsed(c, accountUpdate));
    return json(c, view(number));
  });
  app.delete('/numbers/:id/restrictions', (c) => {
    const number = numberOf(platform, c.req.param('id'));
    number.restrictions = [];
    return json(c, view(number));
  });
  return app;
}

/** What a client needs to use the number, and its state. `traits` keep the names of the control API. */
function numberView(platform: Platform, number: SimulatedNumber, baseUrl: string): object {
  const { identity, options, isMeta, traits, restrictions, webhook } = number;
  return {
    provider: options.provider,
    ...identity,
    ...(isMeta ? { accessToken: options.secret } : { apiKey: options.secret }),
    apiBaseUrl: isMeta ? baseUrl : `${baseUrl}/360dialog`,
    webhookUrl: webhook?.url ?? (isMeta ? (platform.app.webhookUrl ?? null) : null),
    // Names only: renaming keys for the control API would change the headers' own names.
    webhookHeaders: Object.keys(webhook?.headers ?? {}),
    traits,
    settings: readSettings(platform, number),
    restrictions: inForce(restrictions, platform.clock.now()),
  };
}

function addNumber(platform: Platform, body: z.output<typeof newNumber>): SimulatedNumber {
  const count = platform.numbers.list().length + 1;
  const id = String(count).padStart(12, '0');
  const { traits: change } = body;
  try {
    const number = platform.numbers.add({
      provider: body.provider,
      identity: {
        phoneNumberId: body.phone_number_id ?? `200${id}`,
        displayPhoneNumber: body.display_phone_number ?? `1555010${randomInt(9000) + 1000}`,
        wabaId: body.waba_id ?? `100${id}`,
      },
      secret: body.secret ?? `simulated-${body.provider === 'meta' ? 'token' : 'key'}-${count}`,
      traits: change,
    });
    if (body.webhook_url !== undefined) {
      number.webhook = { url: body.webhook_url, headers: body.webhook_headers };
    }
    return number;
  } catch (error) {
    if (error instanceof RangeError) throw new ControlError(409, error.message);
    throw error;
  }
}

/** The webhook, and for a restriction its effect as well. */
async function announce(
  platform: Platform,
  number: SimulatedNumber,
  body: z.output<typeof accountUpdate>,
): Promise<void> {
  const event = accountEventOf(platform, body);
  if (event.event === 'ACCOUNT_RESTRICTION') {
    const added = event.restrictions.map(({ type, expiresAtMs }) => {
      return { type, expiresAtMs, reason: 'simulated complaints of users' };
    });
    number.restrictions = [...number.restrictions, ...added];
  }
  const isArray = body.shape === 'array';
  await number.send(
    'account_update',
    body.event,
    accountBody(number, event, platform.now(), isArray),
  );
}

function accountEventOf({ clock }: Platform, body: z.output<typeof accountUpdate>): AccountEvent {
  const { event, remediation } = body;
  if (event === 'VOLUME_BASED_PRICING_TIER_UPDATE') return { event };
  if (event === 'ACCOUNT_VIOLATION') {
    return { event, violation_type: body.violation_type, remediation };
  }
  const restrictions = body.restrictions.map(({ type, expires_in_s: seconds }) => ({
    type,
    expiresAtMs: seconds === null ? null : clock.now() + seconds * 1000,
    remediation,
  }));
  return { event, restrictions };
}
