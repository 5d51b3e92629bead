// Rooms on a real livekit-server, and join tokens as the worker mints them.
import { AccessToken, RoomServiceClient, type VideoGrant } from 'livekit-server-sdk';

export type LiveKitPlace = { url: string; apiKey: string; apiSecret: string };

export const roomService = ({ url, apiKey, apiSecret }: LiveKitPlace): RoomServiceClient =>
  new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);

/** A token for one identity in one room. */
export async function joinToken(
  { apiKey, apiSecret }: LiveKitPlace,
  room: string,
  identity: string,
  options: {
    attributes?: Record<string, string>;
    grant?: VideoGrant;
    kind?: 'standard' | 'agent';
  } = {},
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, {
    identity,
    ttl: 120,
    ...(options.attributes ? { attributes: options.attributes } : {}),
  });
  token.addGrant({ roomJoin: true, room, canPublish: true, canSubscribe: true, ...options.grant });
  if (options.kind) token.kind = options.kind;
  return await token.toJwt();
}

/** The caller's token: the relay may write its own attributes. */
export const callerToken = (place: LiveKitPlace, room: string, identity = 'caller') =>
  joinToken(place, room, identity, { grant: { canUpdateOwnMetadata: true } });

/** The token that a server gives an AI agent of its dispatch: nothing but the kind tells what it is. */
export const aiToken = (place: LiveKitPlace, room: string, identity: string) =>
  joinToken(place, room, identity, { kind: 'agent' });

/** An agent's token: the role is signed. */
export const agentToken = (place: LiveKitPlace, room: string, identity: string) =>
  joinToken(place, room, identity, { attributes: { 'roomline.role': 'agent' } });
