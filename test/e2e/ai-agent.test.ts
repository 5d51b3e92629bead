// Callers who speak with an AI agent of LiveKit's own framework, and are handed over to a person.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Child } from '../local/processes.ts';
import { installSampleAgent, startSampleAgent } from '../support/sample-agent.ts';
import { useStack } from '../support/use-stack.ts';
import { AgentWorker } from './agent-worker.ts';
import { AGENT_HZ, CALLER_HZ, hasHeard, Scene } from './scene.ts';

const AI_HZ = 700;
/** By this the sample agent knows that the caller wants a person. */
const PERSON_HZ = 600;
/** What it says when nobody has taken the call. */
const SORRY_HZ = 850;
const SUMMARY = 'Order 17 is late; the caller wants their money back.';

const stack = useStack('ai-agent');
let scene: Scene;
let agent: Child;

beforeAll(async () => {
  await installSampleAgent(console.log);
  scene = await Scene.open(stack());
  const { admin, livekit, options } = stack();
  agent = await startSampleAgent(livekit, 'sample', join(options.stateFolder, 'logs'));
  await admin.request('POST', '/v1/teams', { id: 'sales', name: 'Sales' });
  const { data } = await admin.request<{ data: { id: string; name: string }[] }>(
    'GET',
    '/v1/agents',
  );
  const ana = data.filter(({ name }) => name === 'Ana').map(({ id }) => id);
  await admin.request('PUT', '/v1/teams/sales/members', { agent_ids: ana });
}, 300_000);
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') console.error(`--- the sample agent:\n${agent.tail()}`);
  await scene.clear();
});
afterAll(async () => {
  scene?.events.close();
  await agent?.stop();
});

const rules = (...otherwise: object[]) =>
  stack().admin.request('PUT', '/v1/rules', { rules: { rules: [], otherwise } });

const isInRoom = async (room: string, identity: string | undefined): Promise<boolean> =>
  (await scene.rooms.listParticipants(room)).some((one) => one.identity === identity);

const metadata = JSON.stringify({ summary: SUMMARY });

it('an AI agent answers, listens, and hands over to a person who knows why', async () => {
  await rules({ ai: { name: 'sample', metadata, seconds: 30 } });
  const events = await scene.ana.events();
  const phone = await scene.dial();
  await scene.phoneHears(phone.id, AI_HZ, 30_000);
  const call = await scene.callOf(phone);
  const { ai, claimed_by } = await stack().admin.call(call.id);
  expect(ai?.name).toBe('sample');
  expect(claimed_by).toBeNull();

  await stack().simulator.play(phone.id, { signal: { kind: 'tone', hz: PERSON_HZ } });
  const ring = await events.first('the ring', ({ type }) => type === 'ring');
  expect(ring.call).toMatchObject({ id: call.id, summary: SUMMARY });
  // The agent goes on until Ana is there.
  expect(await isInRoom(call.room, ai?.identity)).toBe(true);

  const ana = await scene.join(scene.ana, call.id);
  await Promise.all([scene.phoneHears(phone.id, AGENT_HZ), ana.hears(PERSON_HZ)]);
  const after = await stack().admin.call(call.id);
  expect(after).toMatchObject({ ai: null, claimed_by: { name: 'Ana' } });
  await expect.poll(() => isInRoom(call.room, ai?.identity), { timeout: 10_000 }).toBe(false);
  // Since then the caller has heard nothing of the agent.
  ana.speak(1_300);
  const { heard } = await scene.phoneHears(phone.id, 1_300);
  const spansOf = (hz: number) => heard.tones.filter((tone) => Math.abs(tone.hz - hz) < 20);
  const anaFromMs = spansOf(AGENT_HZ)[0]?.fromMs ?? 0;
  expect(spansOf(AI_HZ).filter(({ fromMs }) => fromMs > anaFromMs)).toEqual([]);
  events.close();
  await stack().simulator.hangUp(phone.id);
  const { record, report } = await scene.ended({ call, phone });
  expect(record.outcome?.reason).toBe('caller-hung-up');
  expect(report.violations).toEqual([]);
});

it('goes on with the caller when nobody takes the call', async () => {
  await rules({ ai: { name: 'sample', metadata, seconds: 30 } });
  const events = await scene.ana.events();
  const phone = await scene.dial();
  await scene.phoneHears(phone.id, AI_HZ, 30_000);
  const call = await scene.callOf(phone);
  await stack().simulator.play(phone.id, { signal: { kind: 'tone', hz: PERSON_HZ } });
  await events.first('the ring', ({ type }) => type === 'ring');
  await scene.ana.request('POST', `/v1/calls/${call.id}/decline`);
  await scene.phoneHears(phone.id, SORRY_HZ);
  events.close();
  await stack().simulator.hangUp(phone.id);
  const { record } = await scene.ended({ call, phone });
  expect(record.timeline.map(({ type }) => type)).toContain('transfer-failed');
});

it('one that does not come is passed over, and the next step takes the call', async () => {
  await rules(
    { ai: { name: 'nobody-of-this-name', seconds: 2 } },
    { ring: { team: 'sales', seconds: 20 } },
  );
  const events = await scene.ana.events();
  const phone = await scene.dial();
  await events.first('the ring', ({ type }) => type === 'ring');
  const call = await scene.callOf(phone);
  const ana = await scene.join(scene.ana, call.id);
  await Promise.all([scene.phoneHears(phone.id, AGENT_HZ), ana.hears(CALLER_HZ)]);
  events.close();
  await scene.hangUp({ call, phone });
});

it('one that comes too late is never heard, and is shown out', async () => {
  const slow = await AgentWorker.register(stack().livekit, 'slow');
  await rules({ ai: { name: 'slow', seconds: 2 } }, { ring: { team: 'sales', seconds: 20 } });
  const events = await scene.ana.events();
  const phone = await scene.dial();
  await events.first('the ring', ({ type }) => type === 'ring');
  const call = await scene.callOf(phone);
  const { token } = await slow.job(call.room);
  const late = await scene.sit({ livekit_url: stack().livekit.url, token }, { toneHz: 1_500 });
  await late.gone();
  const ana = await scene.join(scene.ana, call.id);
  await Promise.all([scene.phoneHears(phone.id, AGENT_HZ), ana.hears(CALLER_HZ)]);
  expect(hasHeard(await stack().simulator.get(phone.id), 1_500)).toBe(false);
  events.close();
  slow.close();
  await scene.hangUp({ call, phone });
});

it('one of a team takes the call that nobody else is there for', async () => {
  const { admin } = stack();
  const ai = { name: 'sample', metadata };
  const { id } = await admin.request<{ id: string }>('POST', '/v1/agents', { name: 'Bot', ai });
  await admin.request('POST', '/v1/teams', { id: 'night', name: 'Night' });
  await admin.request('PUT', '/v1/teams/night/members', { agent_ids: [id] });
  await rules({ ring: { team: 'night', seconds: 30 } });
  const phone = await scene.dial();
  await scene.phoneHears(phone.id, AI_HZ, 30_000);
  const call = await scene.callOf(phone);
  expect((await admin.call(call.id)).ai?.name).toBe('sample');
  await scene.hangUp({ call, phone });
});
