// `relay/main.ts --processes`: several real processes of one relay, as the worker, an operator and a monitoring see them.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePorts } from '../local/ports.ts';
import { LitePhone } from '../local/simulator/phone.ts';
import { Exposition } from '../unit/relay/exposition.ts';
import { FakeWorker } from './support/fake-worker.ts';
import { RELAY_SECRET, relayEnv } from './support/rig.ts';
import { until } from './support/until.ts';

const MAIN = join(import.meta.dirname, '../../relay/main.ts');
const BOTH = ['relay-1.1', 'relay-1.2'];

let worker: FakeWorker;
let relay: ChildProcess;
let exited: Promise<number | null>;
let url: string;
let output: string;
const phones: LitePhone[] = [];

beforeEach(async () => {
  worker = await FakeWorker.start(RELAY_SECRET);
  const port = await freePorts(1);
  url = `http://127.0.0.1:${port}`;
  output = '';
  const env = relayEnv(worker.url, {
    RELAY_HTTP_PORT: String(port),
    RELAY_UDP_PORTS: '42500-42519',
    RELAY_CAPACITY: '10',
  });
  relay = spawn(process.execPath, [MAIN, '--processes', '2'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  relay.stdout?.on('data', (chunk) => (output += String(chunk)));
  exited = once(relay, 'exit').then(([code]) => code as number | null);
  await connections(2);
});
afterEach(async () => {
  for (const phone of phones.splice(0)) phone.close();
  relay.kill('SIGKILL');
  // A process whose parent is gone waits for its calls; the test has forgotten them.
  for (const { pid } of logged('relay.process-started')) endIfThere(Number(pid));
  await exited;
  await worker.stop();
});

const lines = () =>
  output
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const logged = (msg: string) => lines().filter((line) => line['msg'] === msg);

function endIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Resolves once so many sockets to the worker were welcomed since the start. */
const connections = (count: number) =>
  until(`${count} connections`, () => logged('link.connected').length >= count, 30_000);

async function callOn(relayId: string, id: string): Promise<LitePhone> {
  const phone = await LitePhone.create();
  phones.push(phone);
  worker.send({ type: 'call.answer', call_id: id, sdp: phone.offer }, relayId);
  await phone.applyAnswer((await worker.event(id, 'answered')).sdp);
  return phone;
}

const get = async (path: string) => {
  const response = await fetch(`${url}${path}`);
  return { status: response.status, text: await response.text() };
};
const metrics = async () => new Exposition((await get('/metrics')).text);

/** The process behind a place, as its start was logged last. */
const pidOf = (number: number) =>
  Number(logged('relay.process-started').findLast((line) => line['process'] === number)?.['pid']);

it('is one place for calls per process, each with its own capacity and ports', async () => {
  const hellos = worker.hellos();
  expect(hellos.map(({ relay_id }) => relay_id).toSorted()).toEqual(BOTH);
  expect(hellos.map(({ capacity }) => capacity)).toEqual([10, 10]);
  expect(new Set(hellos.map(({ instance }) => instance)).size).toBe(2);
  const portOf = (sdp: string) => Number(/ (\d+) typ host/.exec(sdp)?.[1]);
  await Promise.all(BOTH.map((id) => callOn(id, `on-${id}`)));
  const sdps = await Promise.all(BOTH.map((id) => worker.event(`on-${id}`, 'answered')));
  const [first = 0, second = 0] = sdps.map(({ sdp }) => portOf(sdp));
  expect([first >= 42_500 && first <= 42_509, second >= 42_510 && second <= 42_519]).toEqual([
    true,
    true,
  ]);
});

it('tells on one port what each process measures', async () => {
  await callOn('relay-1.2', 'counted');
  const now = await metrics();
  const calls = ['1', '2'].map((process) => now.value('roomline_relay_calls', { process }));
  expect(calls).toEqual([0, 1]);
  const starts = 'roomline_relay_process_starts_total';
  expect(now.value(starts, { process: '1' })).toBe(1);
  expect((await get('/readyz')).status).toBe(200);
  expect((await get('/healthz')).status).toBe(200);
});

it('starts a process that died again; the other one does not notice', async () => {
  await Promise.all(BOTH.map((id) => callOn(id, `on-${id}`)));
  const [, before] = BOTH.map((id) => worker.hellos().find(({ relay_id }) => relay_id === id));
  process.kill(pidOf(1), 'SIGKILL');
  await connections(3);
  const [latest] = worker.hellos().slice(-1);
  expect(latest).toMatchObject({ relay_id: 'relay-1.1', calls: [] });
  expect(logged('relay.process-died')).toMatchObject([{ process: 1, signal: 'SIGKILL' }]);
  expect(worker.hellos().filter(({ relay_id }) => relay_id === 'relay-1.2')).toEqual([before]);
  const now = await metrics();
  expect(now.value('roomline_relay_process_starts_total', { process: '1' })).toBe(2);
  expect(now.value('roomline_relay_calls', { process: '2' })).toBe(1);
});

it('is ready while one of them is, and says of each why it is not', async () => {
  process.kill(pidOf(1), 'SIGSTOP');
  expect(await get('/readyz')).toEqual({ status: 200, text: 'ok\n' });
  expect((await metrics()).value('roomline_relay_connected', { process: '1' })).toBeUndefined();
  process.kill(pidOf(1), 'SIGCONT');
  worker.refuseWith = 503;
  for (const id of BOTH) worker.cut(id);
  await until('both are cut off', () => logged('link.lost').length >= 2);
  expect(await get('/readyz')).toEqual({
    status: 503,
    text: '1: not connected to the worker; 2: not connected to the worker\n',
  });
});

it('drains all on SIGTERM: running calls finish, then it exits with 0', async () => {
  await callOn('relay-1.2', 'running');
  relay.kill('SIGTERM');
  await until('the idle one is gone', () => logged('relay.stopped').length === 1);
  expect(relay.exitCode).toBeNull();
  expect(await get('/readyz')).toEqual({ status: 503, text: 'draining\n' });
  worker.send({ type: 'call.close', call_id: 'running' }, 'relay-1.2');
  expect(await exited).toBe(0);
  expect(await worker.event('running', 'ended')).toMatchObject({ reason: 'closed' });
  expect(logged('relay.process-died')).toEqual([]);
});

it('ends all calls on the second SIGINT, and reports them', async () => {
  await Promise.all(BOTH.map((id) => callOn(id, `on-${id}`)));
  relay.kill('SIGINT');
  await until('both drain', () => logged('relay.draining').length === 2);
  relay.kill('SIGINT');
  for (const id of BOTH) {
    const ended = await worker.event(`on-${id}`, 'ended');
    expect(ended).toMatchObject({ reason: 'closed', detail: 'relay stopped' });
  }
  expect(await exited).toBe(0);
});

it('leaves running calls alone when it is killed itself: its processes drain', async () => {
  await callOn('relay-1.1', 'running');
  relay.kill('SIGKILL');
  await until('both drain', () => logged('relay.draining').length === 2);
  expect(worker.events('running').map(({ type }) => type)).toEqual(['answered']);
  worker.send({ type: 'call.close', call_id: 'running' }, 'relay-1.1');
  await until('both are gone', () => logged('relay.stopped').length === 2);
});

it('is not started with too few ports for all its processes', async () => {
  const env = relayEnv(worker.url, { RELAY_UDP_PORTS: '42500-42518', RELAY_CAPACITY: '10' });
  const child = spawn(process.execPath, [MAIN, '--processes', '2', '--check-config'], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let problems = '';
  child.stderr.on('data', (chunk) => (problems += String(chunk)));
  const [code] = (await once(child, 'close')) as [number];
  expect(code).toBe(1);
  expect(problems).toContain('RELAY_UDP_PORTS: has fewer ports');
});
