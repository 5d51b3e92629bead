// Whether LiveKit can be reached with the keys that are configured.
import { RoomServiceClient, TwirpError } from 'livekit-server-sdk';
import { fine, problem, type Finding } from '../domain/finding.ts';
import type { LiveKitAccess } from './livekit.ts';

/** Longest wait for LiveKit, in ms. */
const TIMEOUT_MS = 5_000;
/** A room that does not exist keeps the reply small. */
const NO_ROOM = 'roomline-doctor';

export async function checkLiveKit({ url, apiKey, apiSecret }: LiveKitAccess): Promise<Finding> {
  const rooms = new RoomServiceClient(url, apiKey, apiSecret, {
    requestTimeout: TIMEOUT_MS / 1000,
  });
  try {
    await rooms.listRooms([NO_ROOM]);
    return fine('LiveKit takes the key');
  } catch (error) {
    if (error instanceof TwirpError && (error.status === 401 || error.status === 403)) {
      return problem(
        'LiveKit refuses the key',
        'Compare LIVEKIT_API_KEY and LIVEKIT_API_SECRET with the keys of the LiveKit server',
      );
    }
    const why = error instanceof TwirpError ? `HTTP ${error.status}` : 'no reply';
    return problem(
      `LiveKit cannot be reached from the worker (${why})`,
      'Check LIVEKIT_URL: it must be reachable from the internet, not only from the relay',
    );
  }
}
