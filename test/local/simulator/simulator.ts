// Puts the simulator together: Meta's and 360dialog's endpoints, webhooks, control API and the phone page on one port.
import { Hono } from 'hono';
import { META_LIMITS, type Limits } from './call.ts';
import { Calls } from './calls.ts';
import { MovableClock } from './clock.ts';
import { controlRoutes } from './control-routes.ts';
import { dialogRoutes } from './dialog-routes.ts';
import { FaultBox } from './faults.ts';
import { graphRoutes } from './graph-routes.ts';
import { homePage } from './home-page.ts';
import { listen } from './http-server.ts';
import { MessageDesk } from './message-desk.ts';
import { Numbers, type App } from './numbers.ts';
import { PermissionDesk } from './permission-desk.ts';
import { phoneRoutes } from './phone-routes.ts';
import type { Platform } from './platform.ts';
import { Users } from './users.ts';
import type { BusinessNumber } from './wire.ts';

/** Everything has a default that suits a test. */
export type SimulatorOptions = {
  /** 0 (default) for any free port. */
  port?: number;
  /** Address to listen on, for HTTP and for media. Default 127.0.0.1. */
  bind?: string;
  /** Where webhooks go; without it none is sent. */
  webhookUrl?: string;
  appSecret?: string;
  verifyToken?: string;
  accessToken?: string;
  /** Id of the Meta app, for `debug_token` and subscriptions. */
  appId?: string;
  number?: Partial<BusinessNumber>;
  /** Shorter limits than Meta's. */
  limits?: Partial<Limits>;
  /** Pauses between attempts to deliver a webhook, in ms. */
  retryDelaysMs?: readonly number[];
  /** ms since the epoch, monotonic. */
  now?: () => number;
};

/** A running simulator. */
export type Simulator = {
  /** Base address of the Graph endpoints, the control API and the pages. */
  readonly url: string;
  readonly number: BusinessNumber;
  /** Ends all calls without telling anybody, cuts connections, frees the ports. */
  close(): Promise<void>;
};

export const DEFAULT_NUMBER: BusinessNumber = {
  phoneNumberId: '200000000000001',
  displayPhoneNumber: '15550109999',
  wabaId: '100000000000001',
};
export const DEFAULT_SECRETS = {
  appSecret: 'simulated-app-secret',
  verifyToken: 'simulated-verify-token',
  accessToken: 'simulated-access-token',
} as const;
export const DEFAULT_APP_ID = '300000000000001';
/** Quicker than Meta's, and for one minute: Meta's go on for longer than any test. */
const RETRY_DELAYS_MS = [250, 500, 1000, 2000, ...Array.from({ length: 14 }, () => 4000)];

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const bind = options.bind ?? '127.0.0.1';
  const platform = createPlatform(options, bind);
  const number = platform.numbers.default.identity;
  let url = '';
  const app = new Hono();
  app.get('/', (c) => c.html(homePage(platform.calls.list(), number, platform.app.webhookUrl)));
  app.route(
    '/control',
    controlRoutes(platform, () => url),
  );
  app.route('/phone', phoneRoutes(platform));
  app.route('/360dialog', dialogRoutes(platform));
  app.route('/', graphRoutes(platform));
  const server = await listen((request) => app.fetch(request), bind, options.port ?? 0);
  url = server.url;
  return {
    url,
    number,
    close: async () => {
      platform.numbers.close();
      platform.messages.close();
      platform.calls.close();
      await server.close();
    },
  };
}

/** Everything but the HTTP faces. @param mediaBind IPv4 address for media */
export function createPlatform(options: SimulatorOptions, mediaBind: string): Platform {
  const now = options.now ?? (() => performance.timeOrigin + performance.now());
  const clock = new MovableClock(now);
  const users = new Users();
  const faults = new FaultBox();
  const permissions = new PermissionDesk({ clock, users, now });
  const app: App = {
    id: options.appId ?? DEFAULT_APP_ID,
    secret: options.appSecret ?? DEFAULT_SECRETS.appSecret,
    verifyToken: options.verifyToken ?? DEFAULT_SECRETS.verifyToken,
    webhookUrl: options.webhookUrl,
  };
  const numbers = new Numbers(
    { app, retryDelaysMs: options.retryDelaysMs ?? RETRY_DELAYS_MS, now },
    {
      provider: 'meta',
      identity: { ...DEFAULT_NUMBER, ...options.number },
      secret: options.accessToken ?? DEFAULT_SECRETS.accessToken,
    },
  );
  const platform: Platform = {
    now,
    clock,
    users,
    numbers,
    app,
    faults,
    permissions,
    calls: new Calls({ faults, now, observer: permissions.observer }),
    messages: new MessageDesk(() => platform),
    strays: [],
    limits: { ...META_LIMITS, ...options.limits },
    mediaBind,
  };
  return platform;
}
