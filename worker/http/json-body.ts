// Reading JSON from strangers: bytes -> size -> nesting -> JSON.
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { Problem } from './problems.ts';

/** Longest JSON body of the API, in bytes. */
const API_BODY_BYTES_MAX = 256 * 1024;
/** Deepest nesting; the provider's webhooks have about a dozen levels. Deeper text could use up the stack of whoever walks it. */
const DEPTH_MAX = 32;
/** Most values in one body. A value takes far more memory than text: 4 MiB can hold two million empty lists. */
const VALUES_MAX = 200_000;

/**
 * @param what the body is of, for whoever reads the refusal
 * @throws Problem `too-large`
 */
export const limitBody = (maxSize: number): MiddlewareHandler =>
  bodyLimit({
    maxSize,
    onError: () => {
      throw new Problem('too-large', `The limit is ${maxSize} bytes`);
    },
  });

/** @throws Problem `not-json`, `too-deep` or `too-large` */
export function parseJson(body: ArrayBuffer): unknown {
  checkShape(new Uint8Array(body));
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(body));
  } catch {
    throw new Problem('not-json');
  }
}

/** Checks the JSON body of a request before the schemas see it. */
export function checkJsonBody(): MiddlewareHandler {
  const limit = limitBody(API_BODY_BYTES_MAX);
  return async function checkJsonBody(c, next) {
    if (!/json/i.test(c.req.header('content-type') ?? '')) return next();
    return limit(c, async () => {
      checkShape(new Uint8Array(await c.req.arrayBuffer()));
      await next();
    });
  };
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** Counts brackets and commas outside of strings; whether it is JSON at all, the parser tells. */
function checkShape(bytes: Uint8Array): void {
  let depth = 0;
  let values = 1;
  let isText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] ?? 0;
    if (isText) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) isText = false;
    } else if (byte === QUOTE) isText = true;
    else if (byte === COMMA) values += 1;
    else if (CLOSING.has(byte)) depth -= 1;
    else if (OPENING.has(byte)) {
      depth += 1;
      values += 1;
      if (depth > DEPTH_MAX) throw new Problem('too-deep', `The limit is ${DEPTH_MAX} levels`);
    }
    if (values > VALUES_MAX) throw new Problem('too-large', `The limit is ${VALUES_MAX} values`);
  }
}
