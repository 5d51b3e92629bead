// Runs the simulator by itself: `node test/local/simulator/main.ts`. Configured by environment variables (see README.md).
import { z } from 'zod';
import { DEFAULT_APP_ID, DEFAULT_NUMBER, DEFAULT_SECRETS, startSimulator } from './simulator.ts';

const environment = z.object({
  SIMULATOR_PORT: z.coerce.number().int().min(0).max(65_535).default(8790),
  SIMULATOR_BIND: z.ipv4().default('127.0.0.1'),
  WEBHOOK_URL: z.url().optional(),
  META_APP_SECRET: z.string().min(1).default(DEFAULT_SECRETS.appSecret),
  META_VERIFY_TOKEN: z.string().min(1).default(DEFAULT_SECRETS.verifyToken),
  META_ACCESS_TOKEN: z.string().min(1).default(DEFAULT_SECRETS.accessToken),
  META_APP_ID: z.string().regex(/^\d+$/).default(DEFAULT_APP_ID),
  PHONE_NUMBER_ID: z.string().regex(/^\d+$/).default(DEFAULT_NUMBER.phoneNumberId),
  DISPLAY_PHONE_NUMBER: z.string().regex(/^\d+$/).default(DEFAULT_NUMBER.displayPhoneNumber),
  WABA_ID: z.string().regex(/^\d+$/).default(DEFAULT_NUMBER.wabaId),
});

const env = environment.safeParse(process.env);
if (!env.success) {
  process.stderr.write(`the simulator cannot start:\n${z.prettifyError(env.error)}\n`);
  process.exit(1);
}
const settings = env.data;
const simulator = await startSimulator({
  port: settings.SIMULATOR_PORT,
  bind: settings.SIMULATOR_BIND,
  ...(settings.WEBHOOK_URL ? { webhookUrl: settings.WEBHOOK_URL } : {}),
  // The worker takes several secrets separated by commas, for rotation; Meta signs with one.
  appSecret: settings.META_APP_SECRET.split(',')[0] ?? '',
  verifyToken: settings.META_VERIFY_TOKEN,
  accessToken: settings.META_ACCESS_TOKEN,
  appId: settings.META_APP_ID,
  number: {
    phoneNumberId: settings.PHONE_NUMBER_ID,
    displayPhoneNumber: settings.DISPLAY_PHONE_NUMBER,
    wabaId: settings.WABA_ID,
  },
});
process.stdout.write(`simulator ready at ${simulator.url}\n`);

let isStopping = false;
const stop = () => {
  if (isStopping) return;
  isStopping = true;
  void simulator.close().then(() => process.exit(0));
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
