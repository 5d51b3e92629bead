// Recordings from the voices to whoever may hear them, also when the relay is killed in between.
import { statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { recordingsFolder } from '../support/stack-parts.ts';
import { readRecording } from '../support/recording-reader.ts';
import { useStack } from '../support/use-stack.ts';
import { Scene, type AnsweredCall } from './scene.ts';

const stack = useStack('recordings');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

const record = ({ call }: AnsweredCall, action: 'start' | 'pause' | 'resume' | 'stop') =>
  scene.ana.request('POST', `/v1/calls/${call.id}/recording`, { action });

const get = ({ call }: AnsweredCall, headers: Record<string, string> = {}) =>
  fetch(`${stack().admin.baseUrl}/v1/calls/${call.id}/recording`, {
    headers: { authorization: `Bearer ${stack().admin.key}`, ...headers },
  });

/** Waits until the recording of a call can be heard. */
async function kept(answered: AnsweredCall): Promise<Buffer> {
  const isThere = async () => {
    const response = await get(answered);
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  };
  return await vi.waitFor(isThere, { timeout: 30_000, interval: 100 });
}

/** What of both voices is more than silence, in packets of 20 ms. */
const loud = (voice: Buffer[]) => voice.filter((packet) => packet.length > 20).length;

it('a call is recorded, and can be heard afterwards, whole or in parts', async () => {
  const answered = await scene.talk();
  await record(answered, 'start');
  await scene.stillTalk(answered);
  await record(answered, 'pause');
  await scene.stillTalk(answered, { agentHz: 800, callerHz: 500 });
  await record(answered, 'resume');
  await scene.stillTalk(answered, { agentHz: 900, callerHz: 700 });
  await scene.hangUp(answered);

  const file = await kept(answered);
  const read = readRecording(file);
  expect(loud(read.left)).toBeGreaterThan(10);
  expect(loud(read.right)).toBeGreaterThan(10);
  const silent = (packet: Buffer) => packet.toString('hex') === 'f8fffe';
  expect(read.left.filter(silent).length).toBeGreaterThan(5);

  const view = await stack().admin.request<{ recording: { duration_ms: number; bytes: number } }>(
    'GET',
    `/v1/calls/${answered.call.id}`,
  );
  expect(view.recording).toMatchObject({
    duration_ms: Math.round(read.durationMs),
    bytes: file.length,
  });
  const part = await get(answered, { range: 'bytes=100-299' });
  expect(part.status).toBe(206);
  expect(part.headers.get('content-range')).toBe(`bytes 100-299/${file.length}`);
  expect(Buffer.from(await part.arrayBuffer()).equals(file.subarray(100, 300))).toBe(true);
});

it('what was recorded before the relay was killed arrives once it runs again', async () => {
  const answered = await scene.talk();
  await record(answered, 'start');
  const path = join(
    recordingsFolder(stack().options.stateFolder),
    `of-${stack().credentials.relay.id}`,
    `${answered.call.id}.ogg`,
  );
  // Ten seconds are written at a time.
  await vi.waitFor(() => expect(statSync(path).size).toBeGreaterThan(0), {
    timeout: 30_000,
    interval: 100,
  });
  await stack().relay.kill();
  // Nobody writes to it any more: a relay that starts looks at the time of the file.
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(path, longAgo, longAgo);
  await stack().startRelay();
  const lost = await scene.ended(answered);
  expect(lost.record.outcome?.reason).toBe('relay-lost');

  const read = readRecording(await kept(answered));
  expect(read.durationMs).toBeGreaterThan(5_000);
  expect(loud(read.left)).toBeGreaterThan(100);
  expect(loud(read.right)).toBeGreaterThan(100);
});
