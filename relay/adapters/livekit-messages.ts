// Translates between LiveKit's messages and what the relay speaks of. No state.
import {
  AddTrackRequest,
  AudioTrackFeature,
  DataPacket,
  DisconnectReason,
  LeaveRequest,
  LeaveRequest_Action,
  ParticipantInfo_Kind,
  ParticipantInfo_State,
  SessionDescription,
  SignalTarget,
  SipDTMF,
  TrackSource,
  TrackType,
  TrickleRequest,
  UpdateParticipantMetadata,
  UpdateSubscription,
  type JoinResponse,
  type ParticipantInfo,
  type RpcRequest,
} from '@livekit/protocol';
import { KEYS } from '../domain/dtmf.ts';
import { TRACKS_MAX, type PersonUpdate } from '../domain/room-people.ts';
import type { LeftWhy, RoomEnd } from '../ports.ts';
import type { SignalRequestMessage } from './livekit-signal.ts';

/** Our offer; `id` comes back with its answer. */
export const offerMessage = (sdp: string, id: number): SignalRequestMessage => ({
  case: 'offer',
  value: new SessionDescription({ type: 'offer', sdp, id }),
});

/** One of our ICE candidates. */
export const trickleMessage = (candidate: string, mid: string): SignalRequestMessage => ({
  case: 'trickle',
  value: new TrickleRequest({
    candidateInit: JSON.stringify({
      candidate: candidate.replace(/^a=/, ''),
      sdpMid: mid,
      sdpMLineIndex: 0,
    }),
    target: SignalTarget.PUBLISHER,
  }),
});

/** Candidate and mid of the server's; the candidate is empty when there is none, or none that can be read. */
export function candidateOf({ candidateInit }: TrickleRequest): [candidate: string, mid: string] {
  try {
    const { candidate, sdpMid } = JSON.parse(candidateInit) as Record<string, unknown>;
    return [
      typeof candidate === 'string' ? candidate : '',
      typeof sdpMid === 'string' ? sdpMid : '',
    ];
  } catch {
    return ['', ''];
  }
}

/** Announces the caller's track; `trackId` is the one in the offer. */
export const addTrackMessage = (trackId: string, name: string): SignalRequestMessage => ({
  case: 'addTrack',
  value: new AddTrackRequest({
    cid: trackId,
    name,
    type: TrackType.AUDIO,
    source: TrackSource.MICROPHONE,
    // WhatsApp pauses badly with gaps: every 20 ms is sent, once.
    disableRed: true,
    audioFeatures: [AudioTrackFeature.TF_NO_DTX],
  }),
});

/** Asks for a track of somebody, or for none of it any more. */
export const subscriptionMessage = (
  subscribe: boolean,
  participantSid: string,
  trackSid: string,
): SignalRequestMessage => ({
  case: 'subscription',
  value: new UpdateSubscription({
    trackSids: [trackSid],
    subscribe,
    participantTracks: [{ participantSid, trackSids: [trackSid] }],
  }),
});

/** Writes attributes of the caller. */
export const attributesMessage = (attributes: Record<string, string>): SignalRequestMessage => ({
  case: 'updateMetadata',
  value: new UpdateParticipantMetadata({ attributes }),
});

/** Agent frameworks end their session when the caller leaves with this reason, and wait for a return with others. */
export const goodbyeMessage = (): SignalRequestMessage => ({
  case: 'leave',
  value: new LeaveRequest({
    reason: DisconnectReason.CLIENT_INITIATED,
    action: LeaveRequest_Action.DISCONNECT,
  }),
});

/** What the server's goodbye means; any other is a connection that broke. */
const ENDS: ReadonlyMap<DisconnectReason, RoomEnd['why']> = new Map([
  [DisconnectReason.ROOM_DELETED, 'room-deleted'],
  [DisconnectReason.ROOM_CLOSED, 'room-deleted'],
  [DisconnectReason.PARTICIPANT_REMOVED, 'removed-from-room'],
  [DisconnectReason.DUPLICATE_IDENTITY, 'replaced'],
]);

/** The server's goodbye; `undefined` unless it is about us or the room. */
export const endOf = ({ reason }: LeaveRequest): RoomEnd['why'] | undefined => ENDS.get(reason);

/**
 * The server's TURN servers as the library takes them: credentials inside the address, UDP only. STUN is left out: we send first
 * and the server learns our address from that, while servers without own settings name public ones of somebody else's.
 */
export function iceServerUrls(join: JoinResponse): string[] {
  return join.iceServers.flatMap(({ urls, username, credential }) =>
    urls
      .filter((url) => url.startsWith('turn:') && !/transport=tcp/.test(url))
      .map((url) =>
        username
          ? url.replace(':', `:${encodeURIComponent(username)}:${encodeURIComponent(credential)}@`)
          : url,
      ),
  );
}

/** What the rest of the relay knows of a participant. */
export function personUpdate(info: ParticipantInfo): PersonUpdate {
  return {
    sid: info.sid,
    identity: info.identity,
    attributes: info.attributes,
    isAi: info.kind === ParticipantInfo_Kind.AGENT,
    tracks: info.tracks
      .filter((track) => track.type === TrackType.AUDIO)
      .slice(0, TRACKS_MAX)
      .map(({ sid, source }) => ({
        sid,
        isMicrophone: source === TrackSource.MICROPHONE || source === TrackSource.UNKNOWN,
      })),
    left:
      info.state === ParticipantInfo_State.DISCONNECTED
        ? leftWhy(info.disconnectReason)
        : undefined,
  };
}

function leftWhy(reason: DisconnectReason): LeftWhy {
  if (reason === DisconnectReason.CLIENT_INITIATED) return 'left';
  return reason === DisconnectReason.PARTICIPANT_REMOVED ? 'removed' : 'lost';
}

/** A key that the caller pressed, for everybody in the room: what a telephone's would be there. */
export const keyPacket = (digit: string): Uint8Array =>
  new DataPacket({
    value: { case: 'sipDtmf', value: new SipDTMF({ code: KEYS.indexOf(digit), digit }) },
  }).toBinary();

/** Something that somebody in the room has sent, with their identity by the server's word. */
export type Said =
  | { readonly type: 'key'; readonly identity: string; readonly digit: string }
  | { readonly type: 'rpc'; readonly identity: string; readonly request: RpcRequest };

/**
 * What a packet of data says; `undefined` for a packet of something else.
 *
 * @throws Error for bytes that are no packet
 */
export function saidIn(bytes: Uint8Array): Said | undefined {
  const { value, participantIdentity: identity } = DataPacket.fromBinary(bytes);
  if (value.case === 'rpcRequest') return { type: 'rpc', identity, request: value.value };
  if (value.case !== 'sipDtmf') return undefined;
  // Clients name the key twice; some leave one of the names out.
  const digit = value.value.digit === '' ? KEYS.charAt(value.value.code) : value.value.digit;
  const isKey = digit.length === 1 && KEYS.includes(digit);
  return isKey ? { type: 'key', identity, digit } : undefined;
}
