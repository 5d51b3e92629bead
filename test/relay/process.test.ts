import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { RoomEvent, type RemoteParticipant } from '@livekit/rtc-node';
import { afterEach, describe, expect, it } from 'vitest';
import { LitePhone } from '../local/simulator/phone.ts';
import { freePorts } from '../local/ports.ts';
import { startLiveKit } from '../support/livekit-server.ts';
import { FakeWorker } from './support/fake-worker.ts';
import { Participant } from './support/participant.ts';
import { RELAY_SECRET, relayEnv } from './support/rig.ts';
import { agentToken, callerToken } from './support/rooms.ts';
import { until } from './support/until.ts';

const MAIN = join(import.meta.dirname, '../../relay/main.ts');

type Started = { child: ChildProcess; output: () => string; exited: Promise<number | null> };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function startProcess(env: Record<string, string>, args: string[] = []): Started {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout?.on('data', (chunk) => (output += String(chunk)));
  child.stderr?.on('data', (chunk) => (output += String(chunk)));
  cleanups.push(() => child.exitCode ?? child.kill('SIGKILL'));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  return { child, output: () => output, exited };
}

async function withWorker(env: Record<string, string> = {}) {
  const worker = await FakeWorker.start(RELAY_SECRET);
  cleanups.push(() => worker.stop());
  const relay = startProcess(relayEnv(worker.url, env));
  return { worker, relay };
}

async function callOn(worker: FakeWorker, id: string): Promise<LitePhone> {
  const phone = await LitePhone.create();
  cleanups.push(() => phone.close());
  worker.send({ type: 'call.answer', call_id: id, sdp: phone.offer });
  await phone.applyAnswer((await worker.event(id, 'answered')).sdp);
  worker.want(id, { connect: true });
  await worker.event(id, 'media-up');
  phone.markAccepted();
  worker.want(id, { open: true });
  return phone;
}

describe('start', () => {
  it('names every wrong setting at once and exits with 1', async () => {
    const { output, exited } = startProcess({ RELAY_UDP_PORTS: 'wrong', RELAY_ID: 'r1' });
    expect(await exited).toBe(1);
    for (const name of [
      'ROOMLINE_URL: is required',
      'RELAY_SECRET: is required',
      'RELAY_UDP_PORTS: must be',
    ]) {
      expect(output()).toContain(name);
    }
    expect(output()).not.toContain('wrong');
  });

  it('prints the settings in force with secrets masked', async () => {
    const { output, exited } = startProcess(relayEnv('http://127.0.0.1:1'), ['--check-config']);
    expect(await exited).toBe(0);
    expect(output()).toContain('RELAY_UDP_PORTS=42000-42499');
    expect(output()).not.toContain(RELAY_SECRET);
  });

  it('keeps trying, and says what to check, when the worker refuses its secret', async () => {
    const worker = await FakeWorker.start('another-secret-entirely');
    cleanups.push(() => worker.stop());
    const { output, child } = startProcess(relayEnv(worker.url));
    await until('the refusal is logged', () => output().includes('link.refused'));
    expect(output()).toContain('RELAY_SECRET');
    expect(output()).not.toContain(RELAY_SECRET);
    expect(child.exitCode).toBeNull();
  });
});

describe('SIGTERM', () => {
  it('takes no new call, lets the running one finish, and exits with 0', async () => {
    const { worker, relay } = await withWorker();
    await until('hello', () => worker.hellos()[0]);
    const phone = await callOn(worker, 'running');
    relay.child.kill('SIGTERM');
    await until('draining', () => worker.frames.some(({ type }) => type === 'draining'));
    worker.send({ type: 'call.answer', call_id: 'late', sdp: phone.offer });
    expect(await worker.event('late', 'ended')).toMatchObject({ reason: 'no-capacity' });
    const before = phone.heard().packets;
    await until('the running call goes on', () => phone.heard().packets > before + 50);
    expect(phone.heard()).toMatchObject({ lost: 0, timestampJumps: [] });
    expect(relay.child.exitCode).toBeNull();
    worker.send({ type: 'call.close', call_id: 'running' });
    expect(await relay.exited).toBe(0);
    expect(await worker.event('running', 'ended')).toMatchObject({ reason: 'closed' });
  });

  it('ends an idle relay at once', async () => {
    const { worker, relay } = await withWorker();
    await until('hello', () => worker.hellos()[0]);
    relay.child.kill('SIGTERM');
    expect(await relay.exited).toBe(0);
  });
});

it('ends its calls on the second SIGINT, and reports them', async () => {
  const { worker, relay } = await withWorker();
  await until('hello', () => worker.hellos()[0]);
  await callOn(worker, 'running');
  relay.child.kill('SIGINT');
  await until('draining', () => worker.frames.some(({ type }) => type === 'draining'));
  expect(relay.child.exitCode).toBeNull();
  relay.child.kill('SIGINT');
  expect(await worker.event('running', 'ended')).toMatchObject({
    reason: 'closed',
    detail: 'relay stopped',
  });
  expect(await relay.exited).toBe(0);
});

it('leaves the rooms of its calls on purpose on the second SIGINT', async () => {
  const livekit = await startLiveKit();
  cleanups.push(() => livekit.stop());
  const { worker, relay } = await withWorker();
  await until('hello', () => worker.hellos()[0]);
  await callOn(worker, 'running');
  const room = { url: livekit.url, token: await callerToken(livekit, 'running') };
  worker.want('running', { room });
  await worker.event('running', 'room-joined');
  const agent = await Participant.join(livekit.url, await agentToken(livekit, 'running', 'anna'));
  cleanups.push(() => agent.leave());
  const left = new Promise<RemoteParticipant>((resolve) =>
    agent.room.once(RoomEvent.ParticipantDisconnected, resolve),
  );
  await worker.event('running', 'participant-joined');
  relay.child.kill('SIGINT');
  await until('draining', () => worker.frames.some(({ type }) => type === 'draining'));
  relay.child.kill('SIGINT');
  expect(await worker.event('running', 'ended')).toMatchObject({ reason: 'closed' });
  expect(await relay.exited).toBe(0);
  // CLIENT_INITIATED, which tells agents that the call is over.
  expect((await left).disconnectReason).toBe(1);
});

it('is ready while connected to the worker and not draining, and healthy all the time', async () => {
  const port = await freePorts(1);
  const { worker, relay } = await withWorker({ RELAY_HTTP_PORT: String(port) });
  await until('hello', () => worker.hellos()[0]);
  const status = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;
  await until('connected', () => relay.output().includes('link.connected'));
  expect([await status('/readyz'), await status('/healthz'), await status('/other')]).toEqual([
    200, 200, 404,
  ]);
  await callOn(worker, 'running');
  relay.child.kill('SIGTERM');
  await until('draining', () => worker.frames.some(({ type }) => type === 'draining'));
  expect([await status('/readyz'), await status('/healthz')]).toEqual([503, 200]);
});

it('stays out when another relay takes its place: it ends its calls, says why, and waits to be stopped', async () => {
  const port = await freePorts(1);
  const { worker, relay } = await withWorker({ RELAY_HTTP_PORT: String(port) });
  await until('hello', () => worker.hellos()[0]);
  const phone = await callOn(worker, 'running');
  await until('media flows', () => phone.heard().packets > 10);
  const other = startProcess(relayEnv(worker.url));
  await until('the other relay says hello', () => worker.hellos()[1]);
  await until('the relay says so', () => relay.output().includes('link.replaced'));
  expect(relay.output().split('link.replaced')).toHaveLength(2);
  expect(relay.output()).toContain('RELAY_ID');
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('RELAY_ID')]);
  expect(relay.output()).toContain('"reason":"closed","detail":"replaced"');
  expect([relay.child.exitCode, other.child.exitCode]).toEqual([null, null]);
  relay.child.kill('SIGTERM');
  expect(await relay.exited).toBe(0);
  expect(worker.hellos()).toHaveLength(2);
});

it('logs neither SDP nor tokens nor secrets', async () => {
  const { worker, relay } = await withWorker({ LOG_LEVEL: 'debug' });
  await until('hello', () => worker.hellos()[0]);
  await callOn(worker, 'running');
  worker.want('running', { room: { url: 'ws://127.0.0.1:9', token: 'a-room-token' } });
  await worker.event('running', 'ended');
  for (const secret of [RELAY_SECRET, 'a-room-token', 'ice-pwd', 'a=candidate']) {
    expect(relay.output()).not.toContain(secret);
  }
});
