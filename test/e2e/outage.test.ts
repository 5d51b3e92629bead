// Parts that go away in the middle of things.
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { useStack } from '../support/use-stack.ts';
import { AGENT_HZ, Scene } from './scene.ts';

const stack = useStack('outage');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
});
afterEach(async () => {
  await scene.clear();
  // Whatever a test took away, the next one finds complete.
  if (!stack().worker.isRunning()) await stack().startWorker();
  if (!stack().relay.isRunning()) await stack().startRelay();
});
afterAll(() => scene?.events.close());

/** The worker may just have been away: a call that comes before its relay is back would be rejected. */
beforeEach(async () => {
  await vi.waitFor(
    async () => {
      const { data } = await stack().admin.request<{ data: { is_connected: boolean }[] }>(
        'GET',
        '/v1/relays',
      );
      expect(data.some((relay) => relay.is_connected)).toBe(true);
    },
    { timeout: 60_000, interval: 100 },
  );
});

it('a worker that restarts does not disturb a running call', async () => {
  const answered = await scene.talk();
  await stack().worker.stop();
  // Media needs no worker: what is said now arrives.
  answered.agent.speak(700);
  await scene.phoneHears(answered.phone.id, 700);
  await stack().startWorker();
  await scene.reopen();
  expect(scene.events.hello?.calls).toMatchObject([{ id: answered.call.id, state: 'active' }]);
  await scene.ana.end(answered.call.id);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('agent-hung-up');
  expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
});

it('a call that ends while the worker is down ends once it is back', async () => {
  const answered = await scene.talk();
  await stack().worker.stop();
  await stack().simulator.hangUp(answered.phone.id);
  await stack().startWorker();
  await scene.reopen();
  // WhatsApp repeats its webhook until it is acknowledged.
  const { record } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('caller-hung-up');
});

it('a relay that crashed ends its calls when it is back, WhatsApp is told, and it takes new ones', async () => {
  const answered = await scene.talk();
  await stack().relay.kill();
  await stack().startRelay();
  const { record, report } = await scene.ended(answered);
  expect(record.outcome).toMatchObject({ result: 'server_error', reason: 'relay-lost' });
  expect(report.ended).toEqual({ by: 'business', reason: 'terminate' });
  const next = await scene.talk();
  await stack().simulator.hangUp(next.phone.id);
  expect((await scene.ended(next)).record.outcome?.reason).toBe('caller-hung-up');
});

it('a relay that is told to stop finishes its call and takes no other', async () => {
  const answered = await scene.talk();
  const { relay } = stack();
  process.kill(relay.pid, 'SIGTERM');
  const refused = await scene.dialUntilRefused();
  expect(refused.record.outcome?.reason).toBe('no-relay');
  answered.agent.speak(700);
  await scene.phoneHears(answered.phone.id, 700);
  await stack().simulator.hangUp(answered.phone.id);
  const { record, report } = await scene.ended(answered);
  expect(record.outcome?.reason).toBe('caller-hung-up');
  expect(report.heard.tones.some(({ hz }) => Math.abs(hz - AGENT_HZ) < 20)).toBe(true);
  expect(await relay.exited).toBe('code 0');
});
