// One `vitest run` for every kind of test; each kind has the runtime it needs.
import { cloudflareTest, readD1Migrations } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/**
 * Kinds run one after the other in this order, because media suffers from what computes beside it. End-to-end tests mostly wait
 * for phones, timers and processes, so two files of them run at once.
 */
const ORDER = { worker: 0, unit: 1, relay: 2, browser: 3, e2e: 4, network: 5, crowd: 6 } as const;

const nodeProject = (
  name: keyof typeof ORDER,
  timeoutMs: number,
  filesAtOnce: number,
  exclude: string[] = [],
  include: string[] = [`test/${name}/**/*.test.ts`],
) => ({
  test: {
    name,
    environment: 'node' as const,
    include,
    exclude,
    testTimeout: timeoutMs,
    hookTimeout: 120_000,
    maxWorkers: filesAtOnce,
    // Tests that wait for the product's own limits do so together.
    maxConcurrency: 12,
    sequence: { groupOrder: ORDER[name] },
  },
});

/** Puts more calls up at once than may run beside anything else. */
const CROWD = 'test/e2e/redeploy.test.ts';

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    // Logs of tests that fail are worth reading, those of the others are not.
    silent: 'passed-only',
    projects: [
      nodeProject('unit', 60_000, 2),
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              bindings: {
                TEST_MIGRATIONS: await readD1Migrations('./migrations'),
                META_APP_SECRET: 'old-app-secret, app-secret',
                META_VERIFY_TOKEN: 'verify-token',
                ADMIN_API_KEY: 'admin-key-0123456789',
                TOKEN_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
                ASK_SECRET: `whsec_${Buffer.from('a secret of thirty-two bytes 012').toString('base64')}`,
                LIVEKIT_URL: 'ws://livekit.test',
                LIVEKIT_API_KEY: 'key',
                LIVEKIT_API_SECRET: 'secret-of-at-least-32-characters-length',
              },
              // Nothing leaves the machine: what a test does not provide is refused.
              outboundService: (request: Request) =>
                new Response(`not provided by the test: ${request.url}`, { status: 599 }),
            },
          })),
        ],
        test: {
          name: 'worker',
          include: ['test/worker/**/*.test.ts'],
          setupFiles: ['./test/worker/setup.ts'],
          // A fresh isolate per file costs 1.5 s each; set-up empties the storage instead.
          isolate: false,
          maxWorkers: 1,
          sequence: { groupOrder: ORDER.worker },
          testTimeout: 60_000,
        },
      },
      nodeProject('relay', 60_000, 1),
      nodeProject('e2e', 120_000, 2, [CROWD]),
      nodeProject('network', 120_000, 1),
      nodeProject('crowd', 120_000, 1, [], [CROWD]),
      nodeProject('browser', 120_000, 1),
    ],
  },
});
