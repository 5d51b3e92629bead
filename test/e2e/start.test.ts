// `npm start` as its users run it, on ports of its own.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePorts, isTcpPortFree } from '../local/ports.ts';
import { startChild, type Child } from '../local/processes.ts';

const ROOT = join(import.meta.dirname, '../..');
/** worker, simulator, agent page, relay, three of livekit-server, eight for media. */
const PORTS = 15;

let first: number;
let env: Record<string, string>;
let started: Child | undefined;
beforeEach(async () => {
  first = await freePorts(PORTS);
  env = {
    PORT: String(first),
    SIMULATOR_PORT: String(first + 1),
    AGENT_PORT: String(first + 2),
    RELAY_HTTP_PORT: String(first + 3),
    LIVEKIT_PORT: String(first + 4),
    RELAY_UDP_PORTS: `${first + 7}-${first + 14}`,
  };
});
afterEach(async ({ task }) => {
  await started?.stop();
  if (task.result?.state === 'fail') console.error(started?.tail());
  await rm(join(ROOT, '.state', String(first)), { recursive: true, force: true });
});

async function start(...args: string[]): Promise<Child> {
  const script = [join(ROOT, 'test/local/run.mjs'), 'test/local/start.ts', ...args];
  started = await startChild(
    { name: 'start', command: process.execPath, args: script, env },
    join(ROOT, '.state', String(first), 'start'),
  );
  return started;
}

const freeAgain = (): Promise<boolean[]> =>
  Promise.all([0, 1, 2, 3, 4, 5].map((offset) => isTcpPortFree(first + offset)));

it('shows one call and says truly how it went', async () => {
  const child = await start('--once');
  expect(await child.exited).toBe('code 0');
  const output = child.tail();
  expect(output).toMatch(/rang +\d+ ms after the call was placed/);
  expect(output).toMatch(/agent hears caller +\d+ ms after the accept/);
  expect(output).toMatch(/caller hears agent +-?\d+ ms after the accept/);
  expect(output).toMatch(/caller received +[1-9]\d* packets, .* 0 before the accept/);
  expect(output).toMatch(/ended +caller-hung-up \(success\), by caller/);
  expect(await freeAgain()).not.toContain(false);
});

it('says which part did not start, and why', async () => {
  env['RELAY_UDP_PORTS'] = '1026-1025';
  const child = await start('--once');
  expect(await child.exited).toBe('code 1');
  expect(child.tail()).toMatch(/RELAY_UDP_PORTS/);
  // A part that dies: the port range is fine for us and refused by the relay.
  env['RELAY_UDP_PORTS'] = '1000-1010';
  const second = await start('--once');
  expect(await second.exited).toBe('code 1');
  expect(second.tail()).toMatch(/relay stopped .*\n[^]*RELAY_UDP_PORTS/);
  expect(await freeAgain()).not.toContain(false);
});

it('stays up until it is told to stop, and then leaves nothing running', async () => {
  const child = await start();
  await expect.poll(() => child.tail(), { timeout: 90_000 }).toContain('Ctrl-C stops everything');
  const [, page] = /agent +(http:\/\/\S+)#key=/.exec(child.tail()) ?? [];
  expect((await fetch(page ?? '')).status).toBe(200);
  expect(await freeAgain()).toEqual([false, false, false, false, false, false]);
  await child.stop();
  expect(await child.exited).toBe('code 143');
  expect(await freeAgain()).not.toContain(false);
});
