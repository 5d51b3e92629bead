// Brings recordings to the worker, as they lie on the disk.
import { request as requestPlain, type IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { FinishedRecording, UploadRecording } from '../ports.ts';

/** An upload of which nothing is heard or taken for this long is given up, in ms; it is tried again. */
const SILENT_MS_MAX = 60_000;

/** Nobody will ever take it: the call is not ours, or its recording was deleted, is another one, or comes too late. */
const REFUSALS: ReadonlySet<string | undefined> = new Set([
  'urn:roomline:problem:not-found',
  'urn:roomline:problem:conflict',
]);

/** Longest answer that is read, in bytes: a problem is shorter. */
const ANSWER_BYTES_MAX = 16_384;

export type UploadOptions = {
  /** Address of the worker: http, https, ws or wss. */
  readonly url: string;
  readonly relayId: string;
  readonly secret: string;
};

/** Makes the function that brings one recording. */
export const createUpload =
  (options: UploadOptions): UploadRecording =>
  async (callId, recording, body) => {
    const { status, problem } = await put(
      recordingUrl(options, callId),
      headersOf(recording, options.secret),
      exactly(recording.bytes, body),
    );
    if (status === 200) return 'kept';
    // By the worker's own word, not by the status: an address that leads elsewhere has no such call either.
    if (REFUSALS.has(problem)) return 'refused';
    throw new Error(`answered ${status}${problem === undefined ? '' : `: ${problem}`}`);
  };

const headersOf = (recording: FinishedRecording, secret: string) => ({
  authorization: `Bearer ${secret}`,
  'content-type': 'audio/ogg',
  'content-length': recording.bytes,
  'x-roomline-duration-ms': recording.durationMs,
  'x-roomline-audio-sha256': recording.sha256,
});

/** A file that is not as long as was said is an error at once, and not a body that the worker waits for. */
async function* exactly(bytes: number, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let left = bytes;
  for await (const chunk of body) {
    left -= chunk.length;
    yield chunk;
  }
  if (left !== 0) throw new Error(`the file differs from what was said by ${left} bytes`);
}

function recordingUrl({ url, relayId }: UploadOptions, callId: string): URL {
  const target = new URL(url);
  target.protocol = target.protocol.replace(/^ws/, 'http');
  const path = ['v1/relays', encodeURIComponent(relayId), 'recordings', encodeURIComponent(callId)];
  target.pathname = `${target.pathname.replace(/\/$/, '')}/${path.join('/')}`;
  return target;
}

async function put(
  target: URL,
  headers: Record<string, string | number>,
  body: AsyncIterable<Uint8Array>,
): Promise<{ status: number; problem: string | undefined }> {
  const request = (target.protocol === 'https:' ? requestTls : requestPlain)(target, {
    method: 'PUT',
    headers,
  });
  request.setTimeout(SILENT_MS_MAX, () => request.destroy(new Error('silent')));
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  try {
    // An answer that comes before the end of the body is the answer; the rest need not be sent.
    const sent = pipeline(body, request);
    const response = await Promise.race([answered, sent.then(() => answered)]);
    return { status: response.statusCode ?? 0, problem: await problemIn(response) };
  } finally {
    request.destroy();
  }
}

/** The problem that the worker names; `undefined` for an answer that is not the worker's. */
async function problemIn(response: IncomingMessage): Promise<string | undefined> {
  if (!response.headers['content-type']?.startsWith('application/problem+json')) return undefined;
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > ANSWER_BYTES_MAX) return undefined;
  }
  const { type } = JSON.parse(text) as { type?: unknown };
  return typeof type === 'string' ? type : undefined;
}
