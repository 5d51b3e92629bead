// Puts the simulator together: Graph endpoints, webhooks, control API and the phone page on one port.
import { Hono } from 'hono';
import { META_LIMITS, type GraphRecord, type Limits } from './call.ts';
import { Calls } from './calls.ts';
import { controlRoutes } from './control-routes.ts';
import { Delivery } from './delivery.ts';
import { FaultBox } from './faults.ts';
import { graphRoutes } from './graph-routes.ts';
import { homePage } from './home-page.ts';
import { listen } from './http-server.ts';
import { phoneRoutes } from './phone-routes.ts';
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
/** Quicker and fewer than Meta's, which go on for longer than a test. */
const RETRY_DELAYS_MS = [250, 500, 1000, 2000, 4000] as const;

export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const bind = options.bind ?? '127.0.0.1';
  const now = options.now ?? (() => performance.timeOrigin + performance.now());
  const number = { ...DEFAULT_NUMBER, ...options.number };
  const secrets = {
    appSecret: options.appSecret ?? DEFAULT_SECRETS.appSecret,
    verifyToken: options.verifyToken ?? DEFAULT_SECRETS.verifyToken,
    accessToken: options.accessToken ?? DEFAULT_SECRETS.accessToken,
  };
  const faults = new FaultBox();
  const strays: GraphRecord[] = [];
  const webhookUrl = options.webhookUrl;
  const delivery = new Delivery({
    url: webhookUrl,
    appSecret: secrets.appSecret,
    retryDelaysMs: options.retryDelaysMs ?? RETRY_DELAYS_MS,
    now,
  });
  const calls = new Calls({ number, delivery, faults, now });
  const limits = { ...META_LIMITS, ...options.limits };
  const app = new Hono();
  app.get('/', (c) => c.html(homePage(calls.list(), number, webhookUrl)));
  app.route(
    '/control',
    controlRoutes({ calls, faults, strays, limits, mediaBind: bind, webhookUrl, now, ...secrets }),
  );
  app.route('/phone', phoneRoutes({ calls, limits, now }));
  app.route(
    '/',
    graphRoutes({ calls, faults, strays, now, ...secrets, phoneNumberId: number.phoneNumberId }),
  );
  const server = await listen((request) => app.fetch(request), bind, options.port ?? 0);
  return {
    url: server.url,
    number,
    close: async () => {
      delivery.close();
      calls.close();
      await server.close();
    },
  };
}
