// Translates between LiveKit's messages and what the relay speaks of. No state.
import {
  DisconnectReason,
  ParticipantInfo_State,
  SignalTarget,
  TrackSource,
  TrackType,
  TrickleRequest,
  type JoinResponse,
  type ParticipantInfo,
} from '@livekit/protocol';
import type { PersonUpdate } from '../domain/room-people.ts';
import type { LeftWhy } from '../ports.ts';

/** One of our ICE candidates as a message. */
export const trickle = (candidate: string, mid: string): TrickleRequest =>
  new TrickleRequest({
    candidateInit: JSON.stringify({
      candidate: candidate.replace(/^a=/, ''),
      sdpMid: mid,
      sdpMLineIndex: 0,
    }),
    target: SignalTarget.PUBLISHER,
  });

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
    tracks: info.tracks
      .filter((track) => track.type === TrackType.AUDIO)
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
