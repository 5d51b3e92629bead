// Nothing of a call is left in the process once it is over: no file, no thread, no port.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { handlesOf, type Handles } from '../support/process-handles.ts';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

const CALLS = 50;
const AT_ONCE = 10;
const isOfRange = (port: number) => port >= 42_000 && port <= 42_499;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.stop());

/** One call up to connected media, the phone's side in this process as well. */
async function callAndEnd(): Promise<void> {
  const { id, phone } = await rig.answeredCall({ listen: false });
  rig.worker.want(id, { connect: true });
  await rig.worker.event(id, 'media-up');
  rig.worker.send({ type: 'call.close', call_id: id });
  await rig.worker.event(id, 'ended');
  phone.close();
}

const isAs = (before: Handles) => () => {
  const now = handlesOf('self');
  return now.fds <= before.fds && now.threads <= before.threads;
};

it('fifty calls leave neither files nor threads nor ports behind', async () => {
  // The first calls start the library's threads, which stay.
  await Promise.all(Array.from({ length: AT_ONCE }, callAndEnd));
  await until('no port is held', () => !handlesOf('self').udpPorts.some(isOfRange));
  const before = handlesOf('self');
  const { id, phone } = await rig.answeredCall({ listen: false });
  expect(handlesOf('self').udpPorts.filter(isOfRange)).toHaveLength(1);
  expect(handlesOf('self').fds).toBeGreaterThan(before.fds);
  rig.worker.send({ type: 'call.close', call_id: id });
  await rig.worker.event(id, 'ended');
  phone.close();
  for (let done = 0; done < CALLS; done += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, callAndEnd));
  await until('everything is as before', isAs(before));
  expect(handlesOf('self').udpPorts.filter(isOfRange)).toEqual([]);
});
