// Why a call had no audio, as far as the relay's word, the provider's code and the counted packets tell. Pure.
import type { DirectionQuality } from './call.ts';
import { ours, theirs, type Facts, type Verdict } from './explanation.ts';

/** Shorter calls are over before a missing direction means anything, in ms. */
const JUDGED_FROM_MS = 5_000;
/** An unbroken voice is 50 packets a second; below one a second there was none to speak of. */
const PACKETS_PER_S_MIN = 1;

const UDP = 'Let the relay send UDP to any address; it needs no inbound port.';

/** Which voices flowed while the call was connected; null when that was too short, or nobody counted. */
export function voices({ call, talkMs }: Facts): { fromCaller: boolean; toCaller: boolean } | null {
  if (call.quality === null || talkMs === null || talkMs < JUDGED_FROM_MS) return null;
  const flows = ({ packets }: { readonly packets: number }): boolean =>
    packets >= (talkMs / 1000) * PACKETS_PER_S_MIN;
  return { fromCaller: flows(call.quality.from_caller), toCaller: flows(call.quality.to_caller) };
}

/** Spec: ITU-T G.107 annex B, below this nearly all users are dissatisfied (R below 60). */
const MOS_FAIR = 3.1;

/** Less than this share of lost packets makes no call hard to understand. */
const LOSS_SHARE_HEARD = 0.02;

/** Both voices flowed, and one of them sounded so badly that people hang up for it; null when neither did. */
function poor({ call, user }: Facts, ended: string): Verdict | null {
  if (call.quality === null) return null;
  const { from_caller: fromCaller, to_caller: toCaller } = call.quality;
  const isPoor = ({ mos }: DirectionQuality): boolean => mos !== undefined && mos < MOS_FAIR;
  if (!isPoor(fromCaller) && !isPoor(toCaller)) return null;
  const lossFromWhatsApp = fromCaller.lost / Math.max(1, fromCaller.packets + fromCaller.lost);
  const lossFromRoom = toCaller.lost / Math.max(1, toCaller.packets + toCaller.lost);
  const { receiver } = toCaller;
  const lossToWhatsApp = receiver ? receiver.lost / Math.max(1, receiver.packets) : 0;
  const worst = Math.max(lossFromWhatsApp, lossFromRoom, lossToWhatsApp);
  const percent = `${Math.round(100 * worst)} %`;
  const network = `Usually the ${user}'s phone had a bad network; if it happens often, look at the network of the relay.`;
  if (worst < LOSS_SHARE_HEARD) {
    return theirs(
      'poor-audio',
      `${ended} The voices were so long on their way that people fell into each other's words. ${network}`,
    );
  }
  if (worst === lossFromRoom) {
    return ours(
      'poor-audio',
      `${ended} The ${user} could hardly understand the room: ${percent} of its packets were lost before they reached the relay. Look at the network of the agent.`,
    );
  }
  return theirs(
    'poor-audio',
    worst === lossFromWhatsApp
      ? `${ended} The ${user} was hard to understand: ${percent} of the packets were lost on the way from WhatsApp. ${network}`
      : `${ended} The ${user} could hardly understand us: ${percent} of our packets were lost on the way to WhatsApp. ${network}`,
  );
}

/** A connected call that ended as calls do, unless a voice was missing. */
export function usual(facts: Facts, ended: string): Verdict {
  const heard = voices(facts);
  if (!heard) return ours('none', ended);
  if (heard.fromCaller && heard.toCaller) return poor(facts, ended) ?? ours('none', ended);
  const { user } = facts;
  if (!heard.fromCaller && !heard.toCaller) {
    return ours(
      'no-audio',
      `${ended} No audio flowed in either direction: check the network of the relay and the agent's microphone.`,
    );
  }
  return heard.fromCaller
    ? ours(
        'one-way-media',
        `${ended} Nobody in the room could be heard by the ${user}: almost no audio came from there, so check the agent's microphone.`,
      )
    : theirs(
        'one-way-media',
        `${ended} The ${user} could not be heard: almost no audio came from WhatsApp, while ours was sent.`,
      );
}

/** What the relay says of a connection that never came about. `relay/session.ts` and its leg write these texts. */
export function neverConnected({ detail, user }: Facts): Verdict {
  switch (detail) {
    case 'no local port or address for media':
      return ours(
        'no-public-path',
        'The relay had no free UDP port or no network address, so it sent nothing to WhatsApp. Check RELAY_UDP_PORTS and RELAY_BIND_ADDRESS.',
      );
    case 'no usable remote candidate':
      return theirs(
        'no-public-path',
        'None of the media addresses that WhatsApp named can be used from the relay, so it sent nothing. Check that the relay has IPv4.',
      );
    // Observed with libdatachannel 0.24: unanswered checks fail after 39 s only, a refused certificate at once.
    case 'failed':
    case 'handshake not done within 20 s':
    case 'disconnected':
    case 'closed':
      return theirs(
        'handshake-failed',
        `WhatsApp's media address answered, but the encryption with it could not be agreed, so the ${user} heard nothing.`,
      );
    default:
      return theirs(
        'checks-unanswered',
        `The relay tried for 20 s to reach WhatsApp's media address and got no connection. ${UDP}`,
      );
  }
}

/** Media worked, or seemed to, until nothing came any more. */
export function brokeOff(facts: Facts): Verdict {
  const { user, detail } = facts;
  const heard = voices(facts);
  if (heard && !heard.fromCaller && heard.toCaller) {
    return theirs(
      'one-way-media',
      `The ${user} could not be heard: the connection was there, but almost no audio came from WhatsApp while ours was sent.`,
    );
  }
  const how =
    detail === 'nothing received for 30 s'
      ? 'nothing came from WhatsApp for 30 s'
      : 'the connection to WhatsApp broke';
  return theirs(
    'media-stopped',
    `The call was connected, then ${how}. Usually the ${user}'s phone lost its network; if it happens often, look at the network of the relay.`,
  );
}

/** The provider says that the user's phone got no audio from us. */
export function notReceived(facts: Facts): Verdict {
  const { user, isMediaUp } = facts;
  if (!isMediaUp) {
    return theirs(
      'checks-unanswered',
      `WhatsApp ended the call because it got no audio from us: the relay never got a connection to WhatsApp's media address. ${UDP}`,
    );
  }
  if (voices(facts)?.fromCaller === true) {
    return theirs(
      'one-way-media',
      `The ${user} was heard, but our audio did not reach WhatsApp, which then ended the call. Look for a firewall between the relay and the internet that stops outgoing UDP.`,
    );
  }
  return theirs(
    'media-stopped',
    `WhatsApp ended the call because it got no audio from us any more, although the connection had worked. Look at the network of the relay at that time.`,
  );
}
