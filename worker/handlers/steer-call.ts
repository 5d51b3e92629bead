// What people do to the sound of a connected call: hold, prompts, recording. The Switchboard decides; these say what its answer
// means for who asked.
import { SHIPPED_SOUNDS } from '../../relay/protocol.ts';
import type { CallView } from '../call-view.ts';
import type { AudioCommand } from '../domain/call-event.ts';
import type { CallId } from '../domain/ids.ts';
import { requireAudio } from '../http/audio-bucket.ts';
import { invalidField, Problem } from '../http/problems.ts';
import type { Principal } from '../principal.ts';
import type { Services } from '../services.ts';
import { actorOn } from './command-call.ts';
import { problemOf } from './refusals.ts';

export const RECORDING_ACTIONS = ['start', 'pause', 'resume', 'stop'] as const;
type RecordingAction = (typeof RECORDING_ACTIONS)[number];

const RECORDING_COMMANDS = {
  start: 'record',
  pause: 'pause-recording',
  resume: 'resume-recording',
  stop: 'stop-recording',
} as const satisfies Record<RecordingAction, AudioCommand['action']>;

/**
 * Applies one command; repeating it is harmless.
 *
 * @throws Problem `forbidden` for somebody else's call, `call-not-connected`, `call-over`, `relay-too-old`, `not-found`
 */
async function steer(
  services: Services,
  id: CallId,
  principal: Principal,
  command: AudioCommand,
): Promise<CallView> {
  const actor = await actorOn(services, id, principal);
  const { call, refusal, isRelayTooOld } = await services
    .switchboard()
    .steerAudio(id, command, actor);
  if (!call) throw new Problem('not-found', 'There is no call with this id');
  if (call.outcome) {
    throw new Problem('call-over', `The call ended: ${call.outcome.reason}`, {
      outcome: call.outcome,
    });
  }
  if (call.state !== 'active') {
    throw new Problem('call-not-connected', `The call is ${call.state}`);
  }
  if (isRelayTooOld) {
    throw new Problem('relay-too-old', 'The relay of this call has to be upgraded for that');
  }
  if (refusal) throw problemOf(refusal, call);
  return call;
}

export const holdCall = (services: Services, id: CallId, principal: Principal, isHeld: boolean) =>
  steer(services, id, principal, { action: isHeld ? 'hold' : 'unhold' });

/** @throws Problem `invalid-request` when there is no such prompt, `not-configured`, `announcement-playing` */
export async function playPrompt(
  services: Services,
  id: CallId,
  principal: Principal,
  { promptId, isLoop }: { readonly promptId: string; readonly isLoop: boolean },
): Promise<CallView> {
  if (!SHIPPED_SOUNDS.some((sound) => sound === promptId)) {
    requireAudio(services);
    const prompt = await services.prompts.find(promptId);
    if (!prompt)
      throw invalidField('prompt_id', `the id of a prompt, or ${SHIPPED_SOUNDS.join(', ')}`);
  }
  return unlessAnnouncing(
    await steer(services, id, principal, { action: 'play', promptId, isLoop }),
  );
}

/** @throws Problem `announcement-playing` */
export async function stopPrompt(
  services: Services,
  id: CallId,
  principal: Principal,
): Promise<CallView> {
  return unlessAnnouncing(await steer(services, id, principal, { action: 'stop-playing' }));
}

function unlessAnnouncing(call: CallView): CallView {
  if (!call.playing?.announcement) return call;
  throw new Problem('announcement-playing', 'The caller is being told that the call is recorded');
}

/** @throws Problem `call-not-recorded` for what needs a recording that was started, `not-configured` */
export async function recordCall(
  services: Services,
  id: CallId,
  principal: Principal,
  action: RecordingAction,
): Promise<CallView> {
  requireAudio(services);
  const call = await steer(services, id, principal, { action: RECORDING_COMMANDS[action] });
  if (call.recording_state === 'off' && (action === 'pause' || action === 'resume')) {
    throw new Problem('call-not-recorded', 'Nothing of this call is being recorded');
  }
  return call;
}
