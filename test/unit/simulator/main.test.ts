import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const MAIN = new URL('../../local/simulator/main.ts', import.meta.url).pathname;

const start = (env: Record<string, string>) =>
  spawn(process.execPath, [MAIN], { env: { ...process.env, SIMULATOR_PORT: '0', ...env } });

it.each(['SIGTERM', 'SIGINT'] as const)(
  'prints one ready line with its address and stops at once on %s, calls or not',
  async (signal) => {
    const child = start({});
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const [, url] = /^simulator ready at (http:\/\/127\.0\.0\.1:\d+)\n$/.exec(String(line)) ?? [];
    const answer = await fetch(`${url}/control/calls`, { method: 'POST', body: '{}' });
    expect(answer.status).toBe(201);
    const exited = once(child, 'exit');
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
  },
);

it('names a setting that is wrong and does not start', async () => {
  const child = start({ WEBHOOK_URL: 'nowhere' });
  const [text] = (await once(child.stderr, 'data')) as [Buffer];
  expect(String(text)).toContain('WEBHOOK_URL');
  expect((await once(child, 'exit'))[0]).toBe(1);
});
