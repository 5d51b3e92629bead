// Why a call ended as it did, in words for whoever helps the people in it. Pure. Every reason has an entry; what the timeline,
// the provider's code and the counted packets add makes it more exact.
import type { TimelineEntry } from './decision.ts';
import { brokeOff, neverConnected, notReceived, usual } from './explain-media.ts';
import {
  factsOf,
  ours,
  spoken,
  theirs,
  type EndedCall,
  type Facts,
  type LikelyCause,
  type Verdict,
} from './explanation.ts';
import type { OutcomeReason } from './outcome.ts';

export interface Explanation {
  /** One or two sentences. */
  readonly text: string;
  readonly cause: LikelyCause;
  /** What to quote to the provider's support; null where they cannot help. */
  readonly quote: string | null;
}

/** Longer than this until it rings is longer than callers expect, in ms. */
const SLOW_MS = 5_000;

/** @param timeline makes the explanation more exact; in any order */
export function explain(call: EndedCall, timeline: readonly TimelineEntry[] = []): Explanation {
  const entry = EXPLANATIONS[call.reason];
  const verdict = typeof entry === 'function' ? entry(factsOf(call, timeline)) : entry;
  const quote = verdict.isForProvider ? call.providerCallId : null;
  return { text: verdict.text, cause: verdict.cause, quote };
}

/** The words of the outcome's detail, as a part of a sentence. */
const said = ({ detail }: Facts): string => (detail === '' ? '' : `: ${detail}`);

const after = ({ talkMs }: Facts): string => (talkMs === null ? '' : ` after ${spoken(talkMs)}`);

const by = ({ call }: Facts): string =>
  call.endedBy === 'agent' ? 'an agent' : 'a request to the API';

// ---- what several reasons have in common -----------------------------------------------------------------------------------

const TOKEN = ours(
  'token',
  'WhatsApp refused the access token of the number: it is wrong, expired or lacks a permission.',
);

const PAYMENT = ours('account', 'The WhatsApp Business account has no valid payment method.');

const tooLate = ({ user }: Facts): Verdict =>
  theirs(
    'answered-too-late',
    `The call was answered, but too late: the ${user}'s phone no longer waited for it.`,
  );

const userConnection = ({ user }: Facts): Verdict =>
  theirs(
    'user-connection',
    `The ${user}'s phone could not set up or hold the audio, most often for want of a good network.`,
  );

/** What the provider's codes mean. Provider: Calling API, troubleshooting, read 2026-06. */
function byCode(facts: Facts, otherwise: Verdict): Verdict {
  switch (facts.code) {
    case 0:
    case 190:
      return TOKEN;
    case 131044:
      return PAYMENT;
    case 138007:
      return tooLate(facts);
    case 138019:
    case 138020:
    case 138022:
      return userConnection(facts);
    case 138021:
    case 138023:
      return notReceived(facts);
    case undefined:
    default:
      return otherwise;
  }
}

/** Nobody took an inbound call; `how` it ended completes the sentence. */
function untaken(facts: Facts, how: string): Verdict {
  if (facts.has('claim-released')) {
    return ours(
      'agent-not-ready',
      `${how} An agent had taken it, but was not in the room with a microphone within 5 s.`,
    );
  }
  return ours('nobody-answered', `${how} No agent had taken it: check that enough are at work.`);
}

function gaveUp(facts: Facts): Verdict {
  const { lastedMs, has } = facts;
  const waited = spoken(lastedMs);
  if (has('ready')) return tooLate(facts);
  if (has('ringing')) return untaken(facts, `The caller waited ${waited} and hung up unanswered.`);
  if (lastedMs < SLOW_MS)
    return ours('none', 'The caller hung up before the call could ring anywhere.');
  return ours(
    'relay-overloaded',
    `The caller hung up after ${waited}, and nobody had been rung yet: relay, database or WhatsApp were slow.`,
  );
}

function acceptFailed(facts: Facts): Verdict {
  const { detail } = facts;
  const isUnanswered = detail === 'no reply in time' || detail.startsWith('HTTP 5');
  return byCode(
    facts,
    isUnanswered
      ? theirs('provider-unreachable', 'WhatsApp did not confirm that the call was answered.')
      : theirs(
          'provider-error',
          `WhatsApp refused to connect the call when it was answered${said(facts)}.`,
        ),
  );
}

function roomFailed(facts: Facts): Verdict {
  const { detail } = facts;
  // As the LiveKit clients of worker and relay write them: answers of a server that was reached.
  if (/^(LiveKit: |server said |join: refused)/.test(detail)) {
    return ours(
      'livekit-refused',
      `LiveKit was reached and refused the room${said(facts)}. Check the LiveKit keys of the worker.`,
    );
  }
  if (detail === 'not connected in time' || detail === 'negotiation failed') {
    return ours(
      'livekit-unreachable',
      'The relay reached LiveKit but no audio connection came about. Check the UDP ports of LiveKit.',
    );
  }
  return ours(
    'livekit-unreachable',
    `LiveKit could not be reached${said(facts)}. Check LIVEKIT_URL, from the worker and from the relay.`,
  );
}

function noRelay(facts: Facts): Verdict {
  if (facts.detail.startsWith('all ')) {
    return ours(
      'relay-overloaded',
      `The relay was full${said(facts)}. Start another relay, or raise RELAY_CAPACITY.`,
    );
  }
  return ours(
    'relay-missing',
    'No relay could take the call: none was connected, or those that were had no room or were about to stop.',
  );
}

const relayFailed = (facts: Facts): Verdict =>
  facts.detail === 'relay stopped'
    ? ours('relay-gone', 'The relay that carried the call was stopped.')
    : ours(
        'internal-error',
        `The relay gave the call up because of an error of its own${said(facts)}. Look at its log.`,
      );

function agentAbsent(facts: Facts): Verdict {
  if (facts.talkMs === null) {
    return ours(
      'agent-not-ready',
      'The agent took the call but was not in the room with a microphone within 20 s, so nobody was called.',
    );
  }
  const whom = facts.has('agent-dispatched')
    ? 'The AI agent was sent for; check that it runs under that name.'
    : 'Check the connection of the agent.';
  return ours(
    'agent-not-ready',
    `The user picked up, and nobody was there to talk with for 15 s. ${whom}`,
  );
}

// ---- by reason ---------------------------------------------------------------------------------------------------------------

const EXPLANATIONS: Readonly<Record<OutcomeReason, Verdict | ((facts: Facts) => Verdict)>> = {
  'caller-hung-up': (facts) => usual(facts, `The caller hung up${after(facts)}.`),
  'callee-hung-up': (facts) => usual(facts, `The user hung up${after(facts)}.`),
  'agent-hung-up': (facts) => usual(facts, `The call was hung up by ${by(facts)}${after(facts)}.`),
  'agent-left': (facts) =>
    usual(facts, `The agent left the room${after(facts)} and did not come back.`),
  'room-deleted': ours(
    'room-closed',
    'Somebody deleted the LiveKit room of the call. Who has the LiveKit keys can do that.',
  ),
  'removed-from-room': ours(
    'room-closed',
    'Somebody removed the caller from the LiveKit room. Who has the LiveKit keys can do that.',
  ),
  'caller-gave-up': gaveUp,
  'no-answer': (facts) =>
    untaken(facts, `The call was not answered within ${spoken(facts.lastedMs)}.`),
  'rejected-by-rule': ours('none', 'A rule rejects calls like this one.'),
  abandoned: (facts) =>
    ours(
      'nobody-answered',
      `The caller waited for somebody to speak with and hung up${after(facts)}.`,
    ),
  'voicemail-left': ours('none', 'The caller left a message.'),
  'callback-requested': ours('none', 'The caller asked to be called back.'),
  rejected: (facts) => ours('none', `The call was declined by ${by(facts)} while it rang.`),
  'agent-connection-lost': ours(
    'agent-connection',
    "The agent's connection to the room broke and did not return within 15 s. Check the agent's network.",
  ),
  'offer-too-old': (facts) =>
    theirs(
      'late-webhook',
      `WhatsApp reported the call too late to answer it${said(facts)}. Check the provider's status page.`,
    ),
  'unusable-offer': (facts) =>
    theirs('unusable-sdp', `WhatsApp offered audio that the relay cannot use${said(facts)}.`),
  'unusable-answer': (facts) =>
    theirs('unusable-sdp', `WhatsApp's answer asked for audio that cannot be used${said(facts)}.`),
  'pre-accept-refused': (facts) =>
    byCode(
      facts,
      theirs(
        'provider-error',
        `WhatsApp refused our answer before anybody could be rung${said(facts)}.`,
      ),
    ),
  'accept-failed': acceptFailed,
  'provider-ended': (facts) =>
    byCode(facts, theirs('provider-error', `WhatsApp ended the call with an error${said(facts)}.`)),
  'media-failed': neverConnected,
  'media-lost': brokeOff,
  'room-failed': roomFailed,
  'room-lost': (facts) =>
    ours(
      'livekit-unreachable',
      `The connection to LiveKit broke and could not be restored${said(facts)}. Look at LiveKit's log.`,
    ),
  'no-relay': noRelay,
  'relay-did-not-answer': ours(
    'relay-gone',
    'The relay that was to carry the call did not answer within 5 s. Look at its log, and at its load.',
  ),
  'relay-lost': ours(
    'relay-gone',
    'The relay that carried the call was restarted or is gone, and the call with it. Look at its log.',
  ),
  'relay-failed': relayFailed,
  'callee-no-answer': ours('user-not-reached', 'The phone of the user rang and nobody picked up.'),
  'callee-rejected': ours('user-not-reached', 'The user declined the call.'),
  'callee-not-reachable': ours(
    'user-not-reached',
    'WhatsApp cannot call this user: they are not on WhatsApp, or their app is too old for calls.',
  ),
  'callee-set-up-failed': userConnection,
  cancelled: (facts) => ours('none', `The call was cancelled by ${by(facts)} before the pickup.`),
  'agent-no-answer': ours(
    'nobody-answered',
    'The chosen agent did not take the call within 30 s, so the user was not called.',
  ),
  'agent-did-not-join': agentAbsent,
  'permission-not-granted': (facts) =>
    ours('permission', `The user was asked whether you may call, and did not agree${said(facts)}.`),
  'no-permission': ours('permission', 'The user has not allowed calls, or does not any more.'),
  'already-in-call': ours(
    'user-not-reached',
    'There is a call between this number and this user already, perhaps of another app.',
  ),
  'call-limit-reached': ours('limit', 'This user was called as often as WhatsApp allows in a day.'),
  'rate-limited': ours('limit', 'More requests were made than WhatsApp allows in this time.'),
  'provider-busy': ours('limit', 'The number has as many calls at once as WhatsApp allows.'),
  'calling-not-enabled': ours('number-settings', 'Calling is switched off for this number.'),
  'number-in-sip-mode': ours(
    'number-settings',
    'The number is set to SIP, so WhatsApp takes no calls for it from here.',
  ),
  'calling-paused': ours(
    'account',
    'WhatsApp has paused the calls of this number because of their quality.',
  ),
  'country-not-available': ours(
    'account',
    'WhatsApp allows no calls of a business with numbers of this country.',
  ),
  'payment-missing': PAYMENT,
  'token-rejected': TOKEN,
  'dial-refused': (facts) =>
    theirs('provider-error', `WhatsApp refused to place the call${said(facts)}.`),
  'dial-unconfirmed': theirs(
    'provider-unreachable',
    'WhatsApp never said whether it placed the call, so nobody knows whether the phone rang.',
  ),
};
