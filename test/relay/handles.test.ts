// Nothing of a call is left in the process once it is over: no file, no thread, no port, no memory.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LiveKitPeer, type PeerHandlers } from '../../relay/adapters/livekit-peer.ts';
import { createOfferLeg } from '../../relay/adapters/whatsapp-leg.ts';
import type { LegHandlers, Log } from '../../relay/ports.ts';
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

describe('a closed connection lets go of its call', () => {
  const nothing = () => undefined;
  const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;

  /** Resolves once the collector has taken what stands for the call; callbacks of the library are handles that it respects. */
  const isCollected = (call: WeakRef<object>) =>
    until('the call is collected', () => {
      collect();
      return call.deref() === undefined;
    });

  it('to the room', async () => {
    const open = () => {
      const handlers: PeerHandlers = {
        onOffer: nothing,
        onCandidate: nothing,
        onConnected: nothing,
        onFailed: nothing,
        onAssigned: nothing,
        onPacket: nothing,
        onData: nothing,
        onReport: nothing,
      };
      const names = { ssrc: 1, cname: 'caller', trackId: 'track' };
      const place = { bindAddress: '127.0.0.1', iceServers: [] };
      const peer = new LiveKitPeer({ ...names, ...place }, handlers, log);
      peer.offer();
      peer.close();
      return new WeakRef(handlers);
    };
    await isCollected(open());
  });

  it('to the provider', async () => {
    const offerLeg = createOfferLeg(
      {
        ports: { first: 42_000, last: 42_499 },
        bindAddress: '127.0.0.1',
        publicAddress: undefined,
      },
      log,
    );
    const open = async () => {
      const handlers: LegHandlers = { onUp: nothing, onLost: nothing, onPacket: nothing };
      const leg = await offerLeg({ ssrc: 1, cname: 'caller' }, handlers);
      leg.close();
      return new WeakRef(handlers);
    };
    await isCollected(await open());
  });
});
