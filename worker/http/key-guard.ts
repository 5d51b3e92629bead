// Keeps guesses at keys away from the database. What it knows it knows for its isolate alone; Cloudflare runs several.
import type { Context } from 'hono';
import { TokenBucket, type Rate } from '../domain/token-bucket.ts';
import { tooManyRequests } from './problems.ts';

/** Look-ups of keys that are not known yet. An office behind one address may open a hundred consoles at once. */
const PER_SOURCE: Rate = { perSecond: 0.2, burst: 100 };
const OVERALL: Rate = { perSecond: 50, burst: 500 };
/**
 * How long a wrong key is answered without asking the database, in ms. Keys are random and made here, so a wrong one does not
 * become right, unless the database is set back.
 */
const REFUSED_MS = 60_000;
/** Most sources and keys that are remembered; the oldest are forgotten first. */
const REMEMBERED_MAX = 2_000;

export class KeyGuard {
  readonly #now: () => number;
  readonly #accepted = new Set<string>();
  readonly #refusedUntilMs = new Map<string, number>();
  readonly #sources = new Map<string, TokenBucket>();
  #overall: TokenBucket | null = null;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Looks a key up, unless there were too many wrong ones. A key that was right before is always looked up, so guesses lock
   * nobody out who was in; a key that was wrong a moment ago never is.
   *
   * @param source who asks, see `sourceOf`
   * @param key hash of the key and of what it opens; null for a credential that never comes twice, such as a signature
   * @param lookUp null for a wrong key; asked every time, so a key that was revoked is wrong at once
   * @throws Problem `too-many-requests`
   */
  async check<T>(source: string, key: string | null, lookUp: () => Promise<T | null>) {
    const nowMs = this.#now();
    if (key !== null && nowMs < (this.#refusedUntilMs.get(key) ?? 0)) return null;
    const isKnown = key !== null && this.#accepted.has(key);
    const giveBack = isKnown ? () => {} : this.#take(source, nowMs);
    const found = await lookUp();
    if (found !== null) giveBack();
    if (key !== null) this.#remember(key, found !== null, nowMs);
    return found;
  }

  /** Taken before the look-up, so that many at once do not get past; given back when the key was right. */
  #take(source: string, nowMs: number): () => void {
    const own = this.#sources.get(source) ?? new TokenBucket(PER_SOURCE, nowMs);
    trim(this.#sources).set(source, own);
    this.#overall ??= new TokenBucket(OVERALL, nowMs);
    const buckets = [own, this.#overall];
    for (const bucket of buckets) {
      if (!bucket.take(nowMs)) throw tooManyRequests(bucket.waitMs(nowMs));
    }
    return () => buckets.forEach((bucket) => bucket.giveBack());
  }

  #remember(key: string, isRight: boolean, nowMs: number): void {
    if (isRight) {
      trim(this.#accepted).add(key);
    } else {
      this.#accepted.delete(key);
      trim(this.#refusedUntilMs).set(key, nowMs + REFUSED_MS);
    }
  }
}

/** Makes room for one more. */
function trim<T extends Map<string, unknown> | Set<string>>(collection: T): T {
  const [oldest] = collection.keys();
  if (collection.size >= REMEMBERED_MAX && oldest !== undefined) collection.delete(oldest);
  return collection;
}

/**
 * Where a request comes from: an IPv4 address, or the first 64 bits of an IPv6 address, within which whoever has one has all.
 * Provider: Cloudflare sets `CF-Connecting-IP` to the address that connected to it, HTTP headers, read 2026-11.
 */
export function sourceOf(c: Context): string {
  const address = c.req.header('cf-connecting-ip')?.slice(0, 64) ?? 'unknown';
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  const rest = tail === undefined ? [] : tail.split(':').filter((group) => group !== '');
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => '0');
  return [...groups, ...zeros, ...rest].slice(0, 4).join(':');
}
