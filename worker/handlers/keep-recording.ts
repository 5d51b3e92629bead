// Takes the recording of a call from its relay, and deletes recordings.
import { recordingKey, UPLOAD_MS, type NewRecording } from '../adapters/recording-store-d1.ts';
import { iso } from '../call-view.ts';
import { relayOf, type CallId } from '../domain/ids.ts';
import { requireAudio } from '../http/audio-bucket.ts';
import { Problem } from '../http/problems.ts';
import type { Services } from '../services.ts';

const DAY_MS = 24 * 3600_000;

/**
 * Stores a recording without holding it in memory. Bringing the same one again is harmless, also after it was interrupted.
 *
 * @param body of `recording.bytes` bytes; not read when the recording is there already
 * @throws Problem `not-found` for a call that is not this relay's, `conflict` when there was another recording of it, it was
 * deleted, comes too late or was not announced to the caller; another error when the audio did not come whole, or when subscribers
 * could not be told
 */
export async function keepRecording(
  services: Services,
  recording: NewRecording,
  body: ReadableStream,
): Promise<void> {
  const bucket = requireAudio(services);
  const { callId, relayId } = recording;
  const nowMs = services.now();
  const call = await services.recordings.callOf(callId);
  // Any process of the relay: after a restart there may be more of them, or fewer.
  const isTheirs = call?.relayId != null && relayOf(call.relayId) === relayOf(relayId);
  if (!isTheirs) throw new Problem('not-found', 'This relay has no such call');
  const endedAtMs = call.endedAtMs ?? nowMs;
  const expiresAtMs = call.days === null ? null : endedAtMs + call.days * DAY_MS;
  if (nowMs >= Math.min(endedAtMs + UPLOAD_MS, expiresAtMs ?? Infinity)) {
    throw new Problem('conflict', 'The recording comes too late to be kept');
  }
  if (call.isUnannounced) {
    throw new Problem('conflict', 'The caller was not told that the call is recorded');
  }
  const { durationMs, bytes, sha256 } = recording;
  const expiresAt = expiresAtMs === null ? null : iso(expiresAtMs);
  const tell = () =>
    services.switchboard().recordingKept(callId, { durationMs, bytes, sha256, expiresAt });
  switch (await services.recordings.announce(recording, nowMs)) {
    case 'stored':
      // Whoever stored it may not have come so far.
      return tell();
    case 'another':
      throw new Problem('conflict', 'There is another recording of this call');
    case 'gone':
      throw new Problem('conflict', 'The recording of this call was deleted');
    case 'bring':
  }
  await bucket.put(recordingKey(callId), body, { httpMetadata: { contentType: 'audio/ogg' } });
  if (await services.recordings.stored(callId, services.now(), expiresAtMs)) return tell();
  await bucket.delete(recordingKey(callId));
  throw new Problem('conflict', 'The recording of this call was deleted');
}

/**
 * Deletes the recording of a call. What is interrupted on the way is finished by the trigger of every minute.
 *
 * @throws Problem `not-found`
 */
export async function deleteRecording(services: Services, callId: CallId): Promise<void> {
  const bucket = requireAudio(services);
  if (!(await services.recordings.expire(callId, services.now()))) {
    throw new Problem('not-found', 'There is no recording of this call');
  }
  await bucket.delete(recordingKey(callId));
  await services.recordings.emptied([callId]);
}
