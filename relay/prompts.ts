// Prompts that calls of this relay play: fetched from the worker once and kept while there is room for them. A prompt never
// changes; another sound has another id.
import { setImmediate } from 'node:timers/promises';
import { readOggOpusInSteps } from './domain/ogg.ts';
import { isPlain } from './domain/opus.ts';
import type { Sound } from './domain/player.ts';
import type { FetchPrompt, LoadPrompt } from './ports.ts';

/** Ids of the sounds that come with the relay start with this; no prompt of the worker's has a colon in its id. */
const OWN_PREFIX = 'sound:';

/** What is kept at most, in bytes: some hours of prompts. */
export const KEPT_BYTES_MAX = 64 * 1024 * 1024;

/** What a packet costs beyond its bytes. Observed: Node 24.21, 30,000 packets of 42 bytes take 270 bytes of heap each. */
const PACKET_OVERHEAD_BYTES = 230;

/** Pauses before the second and third attempt, in ms: somebody waits for the prompt, but a worker that is deployed is soon back. */
const RETRY_AFTER_MS = [250, 1_000] as const;

/** Files that are fetched and read at once, each of 10 MiB at most; others wait for their turn. */
const FILES_AT_ONCE = 8;

type Loaded = Awaited<ReturnType<LoadPrompt>>;
type Kept = { readonly sound: Sound; readonly bytes: number };

export type PromptsDeps = {
  readonly fetchPrompt: FetchPrompt;
  /** Sounds that come with the relay, by name. */
  readonly ownSounds: ReadonlyMap<string, Sound>;
  readonly keptBytesMax?: number;
};

export class Prompts {
  readonly #deps: PromptsDeps;
  /** The one that was used longest ago comes first. */
  readonly #kept = new Map<string, Kept>();
  #keptBytes = 0;
  /** What is being fetched, for all calls that wait for it. */
  readonly #loading = new Map<string, Promise<Loaded>>();
  #busy = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(deps: PromptsDeps) {
    this.#deps = deps;
  }

  readonly load: LoadPrompt = async (prompt) => {
    if (prompt.startsWith(OWN_PREFIX)) {
      const sound = this.#deps.ownSounds.get(prompt.slice(OWN_PREFIX.length));
      return sound ? { ok: true, sound } : failure('this relay has no such sound');
    }
    const kept = this.#kept.get(prompt);
    if (kept) {
      this.#kept.delete(prompt);
      this.#kept.set(prompt, kept);
      return { ok: true, sound: kept.sound };
    }
    let loading = this.#loading.get(prompt);
    if (!loading) {
      loading = this.#fetch(prompt).finally(() => this.#loading.delete(prompt));
      this.#loading.set(prompt, loading);
    }
    return await loading;
  };

  async #fetch(prompt: string): Promise<Loaded> {
    for (let attempt = 0; ; attempt++) {
      const loaded = await this.#inTurn(() => this.#attempt(prompt));
      if (loaded.ok) return loaded;
      const pauseMs = loaded.mayHelpToRetry ? RETRY_AFTER_MS[attempt] : undefined;
      if (pauseMs === undefined) return failure(loaded.message);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #attempt(prompt: string): Promise<Loaded & { readonly mayHelpToRetry?: boolean }> {
    const fetched = await this.#deps.fetchPrompt(prompt);
    return fetched.ok ? await this.#read(prompt, fetched.file) : fetched;
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy < FILES_AT_ONCE) this.#busy += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy -= 1;
    }
  }

  async #read(prompt: string, file: Uint8Array): Promise<Loaded> {
    const reading = readOggOpusInSteps(file);
    let step = reading.next();
    while (!step.done) {
      // Packets of calls go first.
      await setImmediate();
      step = reading.next();
    }
    const read = step.value;
    if (!read.ok) return failure(read.message);
    const { packets } = read;
    const odd = packets.findIndex((packet) => !isPlain(packet, 0, packet.length));
    if (odd >= 0) return failure(`audio packet ${odd + 1} is not 20 ms of one channel`);
    this.#keep(prompt, packets);
    return { ok: true, sound: packets };
  }

  #keep(prompt: string, sound: Sound): void {
    const bytes = sound.reduce((sum, { length }) => sum + length + PACKET_OVERHEAD_BYTES, 0);
    this.#kept.set(prompt, { sound, bytes });
    this.#keptBytes += bytes;
    for (const [oldest, kept] of this.#kept) {
      if (this.#keptBytes <= (this.#deps.keptBytesMax ?? KEPT_BYTES_MAX)) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= kept.bytes;
    }
  }
}

const failure = (message: string): { ok: false; message: string } => ({ ok: false, message });
