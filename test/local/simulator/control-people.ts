// `/control/phones`, `/control/permissions`, `/control/messages`: who the users are, and what they allow and write.
import { Hono } from 'hono';
import type { z } from 'zod';
import { ControlError, json, numberOf, parsed, userOf } from './control-http.ts';
import { permissionChange, permissionReply, userMessage } from './control-schemas.ts';
import type { SimulatedNumber } from './numbers.ts';
import { phoneDescription, phonePreset } from './phone-preset.ts';
import type { Platform } from './platform.ts';
import type { User } from './users.ts';

export function peopleRoutes(platform: Platform): Hono {
  const app = new Hono();
  app.get('/phones', (c) =>
    json(c, { defaults: platform.users.defaults, phones: platform.users.list().map(phoneView) }),
  );
  app.post('/phones', async (c) =>
    json(c, platform.users.setDefaults(await parsed(c, phonePreset))),
  );
  app.get('/phones/:id', (c) => json(c, phoneView(userOf(platform, c.req.param('id')))));
  app.post('/phones/:id', async (c) => {
    const user = userOf(platform, c.req.param('id'));
    return json(c, phoneView(describe(platform, user, await parsed(c, phoneDescription))));
  });
  app.delete('/phones/:id', (c) => {
    const user = userOf(platform, c.req.param('id'));
    return json(c, phoneView(platform.users.reset(user)));
  });
  app.get('/permissions', (c) => {
    const { user: id, number } = c.req.query();
    const user = userOf(platform, id ?? '');
    return json(c, permissionOf(platform, numberOf(platform, number), user));
  });
  app.post('/permissions', async (c) => {
    const body = await parsed(c, permissionChange);
    const user = userOf(platform, body.user);
    const number = numberOf(platform, body.number);
    change(platform, number, user, body);
    return json(c, permissionOf(platform, number, user));
  });
  app.post('/permissions/reply', async (c) => {
    const body = await parsed(c, permissionReply);
    const user = userOf(platform, body.user);
    const number = numberOf(platform, body.number);
    await reply(platform, number, user, body);
    return json(c, permissionOf(platform, number, user));
  });
  app.get('/messages', (c) => json(c, { messages: platform.messages.messages }));
  app.post('/messages', async (c) => {
    const body = await parsed(c, userMessage);
    const number = numberOf(platform, body.number);
    const wamid = await platform.messages.receive(number, userOf(platform, body.user), body.text);
    return json(c, { wamid }, 201);
  });
  return app;
}

function phoneView({ from, name, username, userId, preset, isHidden }: User): object {
  return { from, name, username, userId, showsNumber: !isHidden, ...preset };
}

function describe(
  { users }: Platform,
  user: User,
  { name, username, user_id, shows_number, ...preset }: z.output<typeof phoneDescription>,
): User {
  return users.describe(user, {
    preset,
    ...(name === undefined ? {} : { name }),
    ...(username === undefined ? {} : { username }),
    ...(user_id === undefined ? {} : { userId: user_id }),
    ...(shows_number === undefined ? {} : { isHidden: !shows_number }),
  });
}

function permissionOf(platform: Platform, number: SimulatedNumber, user: User): object {
  const nowMs = platform.clock.now();
  const record = platform.permissions.recordOf(number, user);
  return {
    number: number.id,
    user: user.from ?? null,
    userId: user.userId,
    permission: record.permission(nowMs),
    requests: record.requests,
    requestsToday: record.requestsToday(nowMs),
    requestsThisWeek: record.requestsThisWeek(nowMs),
    connectedToday: record.connectedToday(nowMs),
    unansweredInARow: record.unansweredInARow,
    nudges: record.nudges,
    windowUntilMs: record.windowUntilMs,
    isWindowOpen: record.windowUntilMs > nowMs,
  };
}

function change(
  platform: Platform,
  number: SimulatedNumber,
  user: User,
  body: z.output<typeof permissionChange>,
): void {
  const nowMs = platform.clock.now();
  const record = platform.permissions.recordOf(number, user);
  if (body.status === 'temporary') {
    record.set({ kind: 'temporary', expiresAtMs: nowMs + body.expires_in_s * 1000 });
  } else if (body.status !== undefined) record.set({ kind: body.status });
  for (let count = 0; count < (body.connected_calls ?? 0); count++) {
    record.noteConnected(nowMs, 'outbound');
  }
  if (body.window === 'open') record.openWindow(nowMs);
  if (body.window === 'closed') record.closeWindow();
}

async function reply(
  platform: Platform,
  number: SimulatedNumber,
  user: User,
  body: z.output<typeof permissionReply>,
): Promise<void> {
  const record = platform.permissions.recordOf(number, user);
  const nowMs = platform.clock.now();
  const asksFor = body.context === 'request' ? undefined : body.context;
  const request = record.openRequest(nowMs, asksFor);
  if (body.context === 'request' && !request) {
    throw new ControlError(409, 'the user has no open permission request to answer');
  }
  const isRequest = asksFor?.startsWith('wamid.') ?? false;
  if (isRequest && !request && record.requests.some(({ wamid }) => wamid === asksFor)) {
    throw new ControlError(409, 'that permission request is over');
  }
  const contextId = body.context === 'none' ? undefined : (asksFor ?? request?.wamid);
  const { form } = body;
  await platform.permissions.reply(number, user, {
    response: body.response,
    isPermanent: body.is_permanent,
    source: body.source,
    contextId,
    form: {
      withoutType: form.without_type,
      integerExpiry: form.integer_expiry,
      wrongPermanent: form.wrong_permanent,
      contacts: form.contacts,
      duplicates: form.duplicates,
    },
  });
}
