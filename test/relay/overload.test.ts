// A relay that finds itself overloaded: what it tells, what it refuses, and that it comes back.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePorts } from '../local/ports.ts';
import { Exposition } from '../unit/relay/exposition.ts';
import { Rig, type Call } from './support/rig.ts';
import { until } from './support/until.ts';

/** From this many calls on their load counts. */
const CALLS = 10;

let rig: Rig;
let url: string;
beforeAll(async () => {
  const port = await freePorts(1);
  url = `http://127.0.0.1:${port}`;
  // Phones and LiveKit's client share this process: ten of them talking use more than 1 % of any CPU.
  rig = await Rig.start({ RELAY_CPU_MAX: '1', RELAY_HTTP_PORT: String(port) });
});
afterAll(() => rig.stop());

const told = () =>
  rig.worker.frames.flatMap((frame) => (frame.type === 'load' ? [frame.accepts] : []));
const ready = async () => {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, text: await response.text() };
};
const overloaded = async () =>
  new Exposition(await (await fetch(`${url}/metrics`)).text()).value('roomline_relay_overloaded');

it('takes no new call, says so, and takes calls again once few are left', async () => {
  const calls: Call[] = [];
  for (let count = 0; count < CALLS; count++) {
    const call = await rig.answeredCall({ listen: false });
    rig.worker.want(call.id, { connect: true });
    await rig.worker.event(call.id, 'media-up');
    rig.open(call);
    call.phone.startTalking();
    calls.push(call);
  }
  await until('the relay to tell', () => told().length === 1, 30_000);
  expect(told()).toEqual([false]);
  expect(await ready()).toEqual({ status: 503, text: 'overloaded\n' });
  expect(await overloaded()).toBe(1);

  const [first] = calls as [Call];
  rig.worker.send({ type: 'call.answer', call_id: 'too-much', sdp: first.phone.offer });
  expect(await rig.worker.event('too-much', 'ended')).toMatchObject({
    reason: 'no-capacity',
    detail: 'overloaded',
  });
  const before = first.phone.heard().packets;
  await until('those that are there go on', () => first.phone.heard().packets > before + 50);

  rig.worker.cut();
  await until('the next hello', () => rig.worker.hellos()[1]);
  expect(rig.worker.hellos().map(({ accepts }) => accepts)).toEqual([true, false]);

  rig.worker.send({ type: 'call.close', call_id: first.id });
  await until('the relay to tell', () => told().length === 2, 30_000);
  expect(told()).toEqual([false, true]);
  expect((await ready()).status).toBe(200);
  await rig.answeredCall();
});
