// The database takes no writes for a while, with calls in every phase.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiError } from '../support/roomline-client.ts';
import { StackRecord } from '../support/stack-record.ts';
import { useStack } from '../support/use-stack.ts';
import { AGENT_HZ, CALLER_HZ, graphOf, Scene, type RingingCall } from './scene.ts';
import { entriesOf, expectUnbrokenCall } from './trouble.ts';

const AWAY_MS = 3_000;
const FULL_GRAPH = ['pre_accept 200', 'accept 200'];

const stack = useStack('record-away');
let scene: Scene;
let database: StackRecord;
beforeAll(async () => {
  scene = await Scene.open(stack());
  database = StackRecord.open(stack());
});
afterAll(async () => {
  scene?.events.close();
  await scene?.clear();
  database?.close();
});

/** What every call of a user should come to, whatever happened on its way. */
async function expectServed(ringing: RingingCall): Promise<void> {
  const { record, report } = await scene.hangUp(ringing);
  expect(record.outcome?.reason).toBe('caller-hung-up');
  expect(graphOf(report)).toEqual(FULL_GRAPH);
  for (const type of ['offered', 'ringing', 'claimed', 'ready', 'answered']) {
    expect(entriesOf(record, type), type).toHaveLength(1);
  }
  expectUnbrokenCall({ record, report });
}

it(`for ${AWAY_MS / 1000} s: nothing is lost or done twice, and no audio has a gap`, async () => {
  const talking = await scene.talk();
  const leaving = await scene.talk();
  const ringing = await scene.ring();
  const claimed = await scene.ring();
  const seat = await scene.ben.claim(claimed.call.id);

  database.refuseWrites();
  let announced: RingingCall['phone'];
  try {
    announced = await scene.dial();
    await stack().simulator.hangUp(leaving.phone.id);
    const refused = await scene.ana.claim(ringing.call.id).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ApiError);
    expect((refused as ApiError).status).toBeGreaterThanOrEqual(500);
    talking.agent.speak(700);
    await Promise.all([scene.sit(seat), scene.phoneHears(talking.phone.id, 700), delay(AWAY_MS)]);
    const { webhooks } = await stack().simulator.get(announced.id);
    expect(webhooks.map(({ status }) => status)).not.toContain(200);
  } finally {
    database.acceptWrites();
  }

  const [late] = await Promise.all([
    scene.rings(announced),
    scene.join(scene.ana, ringing.call.id),
    scene.events.state(claimed.call.id, 'active'),
  ]);
  const agent = await scene.join(scene.ana, late.call.id);
  await Promise.all([
    agent.hears(CALLER_HZ),
    ...[late, ringing, claimed].map(({ phone }) => scene.phoneHears(phone.id, AGENT_HZ)),
  ]);
  const { record } = await scene.ended(leaving);
  expect(record.outcome?.reason).toBe('caller-hung-up');
  for (const call of [late, ringing, claimed, talking]) await expectServed(call);
});
