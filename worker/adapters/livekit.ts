// LiveKit: the room of a call and the tokens to join it. Runs in workerd; one request per job, retrying is the domain's business.
import {
  AccessToken,
  AgentDispatchClient,
  RoomServiceClient,
  TrackSource,
  TwirpError,
} from 'livekit-server-sdk';
import type { Call } from '../domain/call.ts';
import { callerIdentity, roomOfCall, type CallId } from '../domain/ids.ts';
import { JOB_DEADLINE_MS, type Job, type JobResult } from '../domain/job.ts';
import type { SupervisionMode } from '../domain/people.ts';
import type { Ai } from '../domain/roster.ts';

export interface LiveKitAccess {
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** Rooms that nobody enters, or that everybody left, disappear by themselves. */
const EMPTY_TIMEOUT_S = 60;
const DEPARTURE_TIMEOUT_S = 20;
/** The caller, an agent, and room for colleagues; far above what a call needs, far below what would hurt. */
const PARTICIPANTS_MAX = 20;
/** Long enough to connect once, short enough that a leaked token is worth little. */
const JOIN_TOKEN_TTL_S = 120;

const CALLER_GONE: JobResult = {
  ok: false,
  kind: 'refused',
  message: 'the caller is not in the room',
};

/** How often LiveKit is asked whether an agent is there, in ms. */
const AWAIT_POLL_MS = 300;

/** Performs one job of the lane `room`. Never throws: whatever happens is a result. */
export async function doRoomJob(
  access: LiveKitAccess,
  callId: CallId,
  job: Extract<Job, { lane: 'room' }>,
): Promise<JobResult> {
  const rooms = new RoomServiceClient(access.url, access.apiKey, access.apiSecret, {
    requestTimeout: JOB_DEADLINE_MS / 1000,
  });
  const name = roomOfCall(callId);
  try {
    switch (job.action) {
      case 'create':
        await rooms.createRoom({
          name,
          emptyTimeout: EMPTY_TIMEOUT_S,
          departureTimeout: DEPARTURE_TIMEOUT_S,
          maxParticipants: PARTICIPANTS_MAX,
        });
        break;
      case 'delete':
        await rooms.deleteRoom(name);
        break;
      case 'remove':
        await rooms.removeParticipant(name, job.identity);
        break;
      case 'permit':
        await rooms.updateParticipant(name, job.identity, { permission: permissionOf(job.mode) });
        break;
      case 'await':
        return await awaitMicrophone(rooms, name, job.identity);
      case 'probe':
        return await findCaller(rooms, name, callId);
      case 'dispatch':
        await dispatchOnce(dispatchesOf(access), name, job.ai);
        break;
      case 'undispatch':
        await takeBack(dispatchesOf(access), rooms, name, job.name);
        break;
    }
    return { ok: true };
  } catch (error) {
    return resultOf(error, job.action);
  }
}

/** Asks until the participant is there with a microphone track, muted or not, or the job's time for one attempt is over. */
async function awaitMicrophone(
  rooms: RoomServiceClient,
  room: string,
  identity: string,
): Promise<JobResult> {
  const end = Date.now() + JOB_DEADLINE_MS - AWAIT_POLL_MS;
  while (Date.now() < end) {
    const participants = await rooms.listParticipants(room);
    const agent = participants.find((participant) => participant.identity === identity);
    if (agent?.tracks.some(({ source }) => source === TrackSource.MICROPHONE)) return { ok: true };
    await new Promise((resolve) => setTimeout(resolve, AWAIT_POLL_MS));
  }
  return {
    ok: false,
    kind: 'unavailable',
    message: 'the agent has not joined with a microphone yet',
  };
}

async function findCaller(
  rooms: RoomServiceClient,
  room: string,
  callId: CallId,
): Promise<JobResult> {
  const participants = await rooms.listParticipants(room);
  const caller = participants.find(({ identity }) => identity === callerIdentity(callId));
  return caller ? { ok: true } : CALLER_GONE;
}

/** A dispatch whose reply was lost must not bring a second agent. */
async function dispatchOnce(dispatches: AgentDispatchClient, room: string, ai: Ai): Promise<void> {
  const known = await dispatches.listDispatch(room);
  if (known.some(({ agentName }) => agentName === ai.name)) return;
  await dispatches.createDispatch(room, ai.name, { metadata: ai.metadata });
}

/**
 * Deletes the dispatches of an AI agent and removes whoever has come of them. Provider: livekit-server ends their jobs by itself
 * and waits 3 s for each to leave (1.13.5, `Room.DeleteAgentDispatch`); meanwhile they would still hear the caller.
 */
async function takeBack(
  dispatches: AgentDispatchClient,
  rooms: RoomServiceClient,
  room: string,
  name: string,
): Promise<void> {
  const known = await dispatches.listDispatch(room);
  for (const { id, state } of known.filter(({ agentName }) => agentName === name)) {
    await unlessGone(dispatches.deleteDispatch(id, room));
    for (const job of state?.jobs ?? []) {
      const identity = job.state?.participantIdentity ?? '';
      if (identity !== '') await unlessGone(rooms.removeParticipant(room, identity));
    }
  }
}

const unlessGone = (request: Promise<unknown>): Promise<unknown> =>
  request.catch((error: unknown) => {
    if (!(error instanceof TwirpError && error.status === 404)) throw error;
  });

const dispatchesOf = ({ url, apiKey, apiSecret }: LiveKitAccess): AgentDispatchClient =>
  new AgentDispatchClient(url, apiKey, apiSecret, { requestTimeout: JOB_DEADLINE_MS / 1000 });

function resultOf(error: unknown, action: string): JobResult {
  if (error instanceof TwirpError) {
    // Nothing there to delete or remove: what was wanted is so.
    if (error.status === 404 && action === 'probe') return CALLER_GONE;
    if (error.status === 404 && action !== 'create') return { ok: true, already: true };
    const kind = error.status >= 500 ? 'unavailable' : 'refused';
    return {
      ok: false,
      kind,
      status: error.status,
      message: `LiveKit: ${error.message}`.slice(0, 300),
    };
  }
  const why = error instanceof Error ? error.name : 'unknown error';
  return { ok: false, kind: 'unsure', message: `no reply from LiveKit (${why})` };
}

/**
 * Attributes of the caller in the room: what agents read. Names with `sip.` are those that LiveKit's own phone service sets, so
 * that agents written for phone calls understand them.
 */
export function callerAttributes(call: Call): Record<string, string> {
  return {
    ...(call.caller?.phone === undefined ? {} : { 'sip.phoneNumber': `+${call.caller.phone}` }),
    'sip.trunkPhoneNumber': `+${call.displayPhoneNumber}`,
    'sip.callStatus': call.state === 'active' ? 'active' : 'ringing',
    'sip.callID': call.id,
    'whatsapp.callDirection': call.direction,
    ...(call.payload === null ? {} : { 'whatsapp.payload': call.payload }),
    'roomline.callId': call.id,
    ...(call.flow?.rule ? { 'roomline.rule': call.flow.rule } : {}),
  };
}

/** Token with which the relay joins as the caller. It may change its own attributes, to keep `sip.callStatus` true. */
export function callerToken(access: LiveKitAccess, call: Call): Promise<string> {
  const token = new AccessToken(access.apiKey, access.apiSecret, {
    identity: callerIdentity(call.id),
    ttl: JOIN_TOKEN_TTL_S,
    attributes: callerAttributes(call),
    ...(call.caller?.name === undefined ? {} : { name: call.caller.name }),
  });
  token.addGrant({ ...joinGrant(call.id), canUpdateOwnMetadata: true });
  token.kind = 'connector';
  // The SDK has a setter for the kind but none for its details. Observed with livekit-server-sdk 2.19.
  (token as unknown as { grants: { kindDetails: string[] } }).grants.kindDetails = [
    'connector_whatsapp',
  ];
  return token.toJwt();
}

/**
 * As what somebody joins. The caller hears an `agent` by that alone, and everybody else only once the relay is told their name.
 * A supervisor who only listens is hidden: the clients of others show nobody.
 */
export type SeatRole = 'agent' | 'colleague' | SupervisionMode;

/** Token with which a person joins the call's room. */
export function seatToken(
  access: LiveKitAccess,
  callId: CallId,
  person: { identity: string; name: string },
  role: SeatRole,
): Promise<string> {
  const isSupervisor = role !== 'agent' && role !== 'colleague';
  const token = new AccessToken(access.apiKey, access.apiSecret, {
    identity: person.identity,
    name: person.name,
    ttl: JOIN_TOKEN_TTL_S,
    attributes: { 'roomline.role': isSupervisor ? 'supervisor' : role },
  });
  token.addGrant({
    ...joinGrant(callId),
    ...(isSupervisor ? supervisorGrant(role) : {}),
    ...(role === 'monitor' ? { hidden: true } : {}),
    canUpdateOwnMetadata: false,
  });
  return token.toJwt();
}

const supervisorGrant = (mode: SupervisionMode) => ({
  canPublish: mode !== 'monitor',
  canPublishData: mode !== 'monitor',
});

/**
 * Of somebody who is in the room. Who has been seen there stays visible, also when they only listen.
 * Spec: livekit-server 1.13.5, `broadcastParticipantState`: others are told of a participant who is hidden no more, and nothing of
 * one who becomes hidden.
 */
const permissionOf = (mode: SupervisionMode) => ({
  canSubscribe: true,
  hidden: false,
  ...supervisorGrant(mode),
});

const joinGrant = (callId: CallId) => ({
  roomJoin: true,
  room: roomOfCall(callId),
  canPublish: true,
  canSubscribe: true,
  canPublishData: true,
});
