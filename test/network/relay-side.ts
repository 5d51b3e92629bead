// The relay's side of one call, in a namespace of its own: relay, livekit-server and an agent, with a NAT before them.
import { LightAgent } from '../support/light-agent.ts';
import { Rig } from '../relay/support/rig.ts';
import { agentToken, callerToken, roomService } from '../relay/support/rooms.ts';
import { until } from '../relay/support/until.ts';
import { AGENT_HZ, CALLER_HZ, HEARD_MS, toneMs, type FromRelay, type ToRelay } from './messages.ts';
import { INSIDE } from './namespaces.ts';

const ID = 'behind-nat';
const rig = await Rig.start({ RELAY_BIND_ADDRESS: INSIDE });
const tell = (message: FromRelay) => process.send?.(message);
let agent: LightAgent | undefined;

async function carryOut(message: ToRelay): Promise<void> {
  switch (message.type) {
    case 'offer':
      rig.worker.send({ type: 'call.answer', call_id: ID, sdp: message.sdp });
      tell({ type: 'answer', sdp: (await rig.worker.event(ID, 'answered')).sdp });
      return;
    case 'enter':
      await enter();
      tell({ type: 'ready' });
      return;
    case 'open':
      rig.worker.want(ID, { open: true });
      await until(
        'the caller',
        () => toneMs(agent?.heard().tones ?? [], CALLER_HZ) > HEARD_MS,
        30_000,
      );
      tell({ type: 'heard' });
      return;
    case 'close':
      await close();
  }
}

async function enter(): Promise<void> {
  const { url } = rig.livekit;
  await roomService(rig.livekit).createRoom({ name: ID, emptyTimeout: 60 });
  const room = { url, token: await callerToken(rig.livekit, ID, `caller-${ID}`) };
  rig.worker.want(ID, { connect: true, room });
  await rig.worker.event(ID, 'media-up');
  const token = await agentToken(rig.livekit, ID, 'agent');
  const seat = { call_id: ID, livekit_url: url, token, room: ID, identity: 'agent' };
  agent = await LightAgent.join(seat, { toneHz: AGENT_HZ });
  await rig.worker.event(ID, 'ready');
}

async function close(): Promise<void> {
  rig.worker.send({ type: 'call.close', call_id: ID });
  const { stats } = await rig.worker.event(ID, 'ended');
  const { path } = await rig.worker.event(ID, 'media-up');
  tell({ type: 'over', path, stats });
}

process.on('message', (message: ToRelay) => void carryOut(message));
process.once('disconnect', () => {
  void Promise.all([agent?.leave(), rig.stop()]).then(() => process.exit());
});
