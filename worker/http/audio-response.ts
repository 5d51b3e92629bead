// Serving a file of the audio bucket: whole, in parts, or not again. Spec: RFC 9110 sections 13 and 14.
import type { Context } from 'hono';
import { parseRange } from '../domain/byte-range.ts';
import { Problem, problemResponse } from './problems.ts';

export interface AudioFile {
  readonly key: string;
  readonly bytes: number;
  /** Changes with the content. */
  readonly etag: string;
  readonly cacheControl: string;
}

/** How such a response is described in the API's documentation. */
export const audioContent = (description: string) => ({
  description,
  content: { 'audio/ogg': { schema: { type: 'string' as const, format: 'binary' } } },
});

/** @throws Problem `not-found` when the bucket has lost the file */
export async function audioResponse(
  c: Context,
  bucket: R2Bucket,
  file: AudioFile,
): Promise<Response> {
  const etag = `"${file.etag}"`;
  const headers: Record<string, string> = {
    'content-type': 'audio/ogg',
    'cache-control': file.cacheControl,
    'accept-ranges': 'bytes',
    // Whatever was brought is played as sound or not at all.
    'x-content-type-options': 'nosniff',
    etag,
  };
  if (namesEtag(c.req.header('if-none-match'), etag)) {
    return new Response(null, { status: 304, headers });
  }
  // A part of something that has changed meanwhile is of no use.
  const ifRange = c.req.header('if-range');
  const isWanted = ifRange === undefined || ifRange === etag;
  const range = isWanted ? parseRange(c.req.header('range'), file.bytes) : null;
  if (range === 'unsatisfiable') {
    const refusal = new Problem('no-such-range', `The file has ${file.bytes} bytes`);
    const response = problemResponse(refusal);
    response.headers.set('content-range', `bytes */${file.bytes}`);
    return response;
  }
  const { offset, length } = range ?? { offset: 0, length: file.bytes };
  headers['content-length'] = String(length);
  if (range) headers['content-range'] = `bytes ${offset}-${offset + length - 1}/${file.bytes}`;
  const status = range ? 206 : 200;
  if (c.req.method === 'HEAD') return new Response(null, { status, headers });
  const object = await bucket.get(file.key, range ? { range } : {});
  if (!object) throw new Problem('not-found', 'The audio is not in the bucket any more');
  return new Response(object.body, { status, headers });
}

const namesEtag = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  header.split(',').some((item) => item.trim() === '*' || item.trim().replace(/^W\//, '') === etag);
