// The provider's side of one call, in a namespace of its own: a phone that does as it is told.
import { LitePhone } from '../local/simulator/phone.ts';
import { until } from '../relay/support/until.ts';
import { AGENT_HZ, CALLER_HZ, HEARD_MS, toneMs, type FromPhone, type ToPhone } from './messages.ts';
import { OUTSIDE } from './namespaces.ts';

const phone = await LitePhone.create({ bind: OUTSIDE });
const tell = (message: FromPhone) => process.send?.(message);

async function carryOut(message: ToPhone): Promise<void> {
  if (message.type === 'answer') {
    await phone.applyAnswer(message.sdp);
    tell({ type: 'answer-applied' });
    return;
  }
  phone.markAccepted();
  phone.startTalking({ kind: 'tone', hz: CALLER_HZ });
  await until('the agent', () => toneMs(phone.heard().tones, AGENT_HZ) > HEARD_MS, 30_000);
  tell({ type: 'heard' });
}

process.on('message', (message: ToPhone) => void carryOut(message));
process.once('disconnect', () => process.exit());
tell({ type: 'offer', sdp: phone.offer });
