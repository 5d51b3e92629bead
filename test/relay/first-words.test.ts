// Not one frame of what is said around the opening of the path is missing, either way. Frames say their number in their payload,
// which nobody on the way reads or changes.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LightAgent } from '../support/light-agent.ts';
import { Rig, type Call } from './support/rig.ts';
import { agentToken } from './support/rooms.ts';
import { until } from './support/until.ts';

let rig: Rig;
const agents: LightAgent[] = [];
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.leave()));
  await rig.stop();
});

/** Joins the call's room as an agent who counts. */
async function join({ id }: Call): Promise<LightAgent> {
  const token = await agentToken(rig.livekit, id, 'anna');
  const agent = await LightAgent.join(
    { livekit_url: rig.livekit.url, token, call_id: id, identity: 'anna', room: id },
    { toneHz: 1_000, listen: false, caller: 'caller' },
  );
  agents.push(agent);
  agent.count();
  return agent;
}

/** All numbers from the first that came to `last`, in order. */
const whole = (numbers: readonly number[], last: number): number[] => {
  const [first = 0] = numbers;
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
};

const upTo = (numbers: readonly number[], last: number): number[] =>
  numbers.filter((number) => number <= last);

it('what the agent says from being ready on reaches the phone, however long the answer takes', async () => {
  const call = await rig.ringingCall({ listen: false });
  const agent = await join(call);
  await rig.worker.event(call.id, 'ready');
  const ready = agent.counted;
  await until('two seconds of words', () => agent.counted > ready + 100);
  rig.open(call);
  await until('the path is open', () => call.phone.heard().packets > 0);
  // The caller's very first frame, too.
  call.phone.startCounting();

  const last = ready + 300;
  await until('the phone has heard them', () => call.phone.numbersHeard.includes(last));
  expect(upTo(call.phone.numbersHeard, last)).toEqual(whole(call.phone.numbersHeard, last));
  expect(call.phone.numbersHeard[0]).toBeLessThanOrEqual(ready);
  await until('the agent has heard the caller', () => agent.numbersHeard.includes(100));
  expect(upTo(agent.numbersHeard, 100)).toEqual(whole([0], 100));
});

it('what the user says around the pick-up reaches an agent who comes seconds later', async () => {
  const call = await rig.ringingOutside({ listen: false });
  call.phone.startCounting();
  await until('a second before the pick-up', () => call.phone.counted > 60);
  const pickedUp = call.phone.counted;
  await rig.pickUp(call);
  await until('three seconds of words', () => call.phone.counted > pickedUp + 150);
  const agent = await join(call);
  const last = pickedUp + 200;
  await until('the agent has heard them', () => agent.numbersHeard.includes(last));
  expect(upTo(agent.numbersHeard, last)).toEqual(whole(agent.numbersHeard, last));
  // The last second before: the word of the pick-up takes its time, too.
  expect(agent.numbersHeard[0]).toBeLessThanOrEqual(pickedUp - 30);

  const said = agent.counted;
  await until('the user has heard the agent', () => call.phone.numbersHeard.includes(said + 50));
  expect(upTo(call.phone.numbersHeard, said + 50)).toEqual(
    whole(call.phone.numbersHeard, said + 50),
  );
});
