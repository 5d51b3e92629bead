// A call whose announcement carries another SDP than its phone stands behind.
import type { CallView as PhoneView, NewCall } from '../local/simulator/client.ts';
import type { Scene } from './scene.ts';

/**
 * Somebody calls with an offer of the test's making.
 *
 * @param change makes it out of the phone's own; must change something
 */
export async function dialWithOffer(
  scene: Scene,
  change: (sdp: string) => string,
  options: NewCall = {},
): Promise<PhoneView> {
  const { simulator } = scene.stack;
  // Its own announcement is held back.
  const { id } = await scene.dial({ ...options, faults: { webhooks: { drop: ['connect'] } } });
  const phone = await simulator.get(id);
  const sdp = change(phone.offer);
  if (sdp === phone.offer) throw new Error('the offer was to be changed');
  const { status } = await simulator.sendWebhook({ body: connectWebhook(scene, phone, sdp) });
  if (status !== 200) throw new Error(`the announcement was answered ${status}`);
  return phone;
}

/** A call as Meta announces it. */
function connectWebhook({ stack }: Scene, phone: PhoneView, sdp: string): object {
  const { phoneNumberId, displayPhoneNumber } = stack.number;
  const call = {
    id: phone.wacid,
    from: phone.from,
    to: displayPhoneNumber,
    event: 'connect',
    timestamp: String(Math.floor(Date.now() / 1000)),
    direction: 'USER_INITIATED',
    session: { sdp_type: 'offer', sdp },
  };
  const value = {
    messaging_product: 'whatsapp',
    metadata: { display_phone_number: displayPhoneNumber, phone_number_id: phoneNumberId },
    contacts: [{ profile: { name: phone.name }, wa_id: phone.from, user_id: phone.userId }],
    calls: [call],
  };
  return {
    object: 'whatsapp_business_account',
    entry: [{ id: '100000000000001', changes: [{ field: 'calls', value }] }],
  };
}
