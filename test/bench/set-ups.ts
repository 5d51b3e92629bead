// How long setting a call up takes through the whole stack: real worker, relay, livekit-server, and a faithful phone.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeStackPorts, startStack, type Stack } from '../support/stack.ts';
import { TestAgent } from '../support/test-agent.ts';

const CALLS = 12;
const AGENT_HZ = 1_000;

/** One value per call. */
export type SetUps = {
  calls: number;
  webhook_to_pre_accept_ms: number[];
  claim_to_heard_ms: number[];
  published_to_heard_ms: number[];
};

/** Places calls one after the other, each answered by an agent that speaks at once. The first one warms up and is left out. */
export async function measureSetUps(): Promise<SetUps> {
  const stateFolder = await mkdtemp(join(tmpdir(), 'roomline-bench-'));
  const stack = await startStack({ stateFolder, ports: await freeStackPorts() });
  const setUps: SetUps = {
    calls: CALLS,
    webhook_to_pre_accept_ms: [],
    claim_to_heard_ms: [],
    published_to_heard_ms: [],
  };
  try {
    for (let index = 0; index <= CALLS; index++) {
      const one = await measureOne(stack, `35191000${String(index).padStart(4, '0')}`);
      if (index === 0) continue;
      setUps.webhook_to_pre_accept_ms.push(one.preAcceptMs);
      setUps.claim_to_heard_ms.push(one.claimMs);
      setUps.published_to_heard_ms.push(one.publishedMs);
    }
  } finally {
    await stack.stop();
    await rm(stateFolder, { recursive: true, force: true });
  }
  return setUps;
}

async function measureOne(
  stack: Stack,
  from: string,
): Promise<{ preAcceptMs: number; claimMs: number; publishedMs: number }> {
  const desk = stack.admin.as(stack.credentials.agent.key);
  const events = await desk.events();
  let agent: TestAgent | undefined;
  try {
    const phone = await stack.simulator.call({ from, play: { kind: 'tone', hz: 440 } });
    const { call } = await events.first(
      'ring',
      (notice) => notice.type === 'ring' && notice.call.provider_call_id === phone.wacid,
    );
    const claimedAtMs = Date.now();
    agent = await TestAgent.join(await desk.claim(call.id), { toneHz: AGENT_HZ });
    const isAgent = ({ hz }: { hz: number }) => Math.abs(hz - AGENT_HZ) < 20;
    const view = await stack.simulator.waitFor(phone.id, ({ heard }) => heard.tones.some(isAgent));
    const heardAtMs = view.heard.tones.find(isAgent)?.fromMs ?? NaN;
    const webhook = view.webhooks.find(({ event }) => event === 'connect');
    const preAccept = view.graph.find(({ action }) => action === 'pre_accept');
    await stack.simulator.hangUp(phone.id);
    await events.state(call.id, 'ended');
    return {
      preAcceptMs: (preAccept?.atMs ?? NaN) - (webhook?.sentAtMs ?? NaN),
      claimMs: heardAtMs - claimedAtMs,
      publishedMs: heardAtMs - (agent.publishedAtMs ?? NaN),
    };
  } finally {
    events.close();
    await agent?.leave();
  }
}
