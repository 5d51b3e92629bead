// Fetches the files of prompts from the worker.
import type { FetchPrompt } from '../ports.ts';

/** Largest file that is read. The worker takes no larger one. */
const FILE_BYTES_MAX = 10 * 1024 * 1024;

/** One attempt takes at most this, in ms. A prompt is some 100 kB; the caller hears what they heard before meanwhile. */
const FETCH_MS_MAX = 5_000;

export type PromptFileOptions = {
  /** Address of the worker: http, https, ws or wss. */
  readonly url: string;
  readonly relayId: string;
  readonly secret: string;
};

/** Makes the function that asks for one file. */
export const createFetchPrompt =
  (options: PromptFileOptions): FetchPrompt =>
  async (prompt) => {
    try {
      const response = await fetch(promptUrl(options, prompt), {
        headers: { authorization: `Bearer ${options.secret}` },
        // The secret goes to nobody else.
        redirect: 'error',
        signal: AbortSignal.timeout(FETCH_MS_MAX),
      });
      if (!response.ok) {
        await response.body?.cancel();
        const { status } = response;
        return failed(`the worker answers ${status}`, status >= 500 || status === 429);
      }
      const file = await readBounded(response);
      return file ? { ok: true, file } : failed('too large', false);
    } catch (error) {
      return failed(describe(error), true);
    }
  };

function promptUrl({ url, relayId }: PromptFileOptions, prompt: string): URL {
  const target = new URL(url);
  target.protocol = target.protocol.replace(/^ws/, 'http');
  const path = `v1/relays/${encodeURIComponent(relayId)}/prompts/${encodeURIComponent(prompt)}`;
  target.pathname = `${target.pathname.replace(/\/$/, '')}/${path}`;
  return target;
}

/** The body, or `undefined` when it is too large. */
async function readBounded(response: Response): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > FILE_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Spec: Node's fetch fails with one message for all causes, and the cause beside it. */
const describe = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error ? cause.message : 'unknown';
};

const failed = (message: string, mayHelpToRetry: boolean) =>
  ({ ok: false, message, mayHelpToRetry }) as const;
