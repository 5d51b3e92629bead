// The generated client: its types compile, refuse mistakes, and its requests are taken by the worker.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { writeClient } from '../local/client.ts';
import { useWorker } from '../support/use-worker.ts';

const ROOT = join(import.meta.dirname, '../..');
const worker = useWorker('client');

beforeAll(() => writeClient());

it('compiles where it is used right, and not where it is used wrong', () => {
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
  const args = [compiler, '-p', join(ROOT, 'test/client/tsconfig.json')];
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

it('makes requests that the worker takes', async () => {
  // By a path that the compiler does not follow: the types are there only once they were written.
  const { tour } = (await import(join(ROOT, 'test/client/tour.ts'))) as {
    tour: (baseUrl: string, key: string) => Promise<unknown>;
  };
  const { url, adminKey } = worker();
  expect(await tour(url, adminKey)).toEqual({
    agentId: expect.stringMatching(/^[\w-]{36}$/) as string,
    contactPhone: '351910000001',
    calls: [],
    webhookEvents: ['call.answered', 'call.ended'],
    secret: expect.stringMatching(/^whsec_/) as string,
    refusedField: 'url',
    missing: 404,
  });
});
