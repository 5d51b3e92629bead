// A call as a file: what the caller said on the left, exactly what the caller was sent on the right. Pure: the caller brings the
// clock and stores the pages.
//
// A place in the file is a time since its beginning, whatever was lost, paused or switched off in between.
import { OggWriter, type OnPage } from './ogg-write.ts';
import { Lane, SLOT_MS, WINDOW_PACKETS, writeSilence } from './recording-lane.ts';

/** `off`: nothing is written. `paused`: the recording goes on with silence in both voices. */
export type RecordingState = 'off' | 'on' | 'paused';

/** How long a slot waits for packets that are late, in ms. */
export const WAIT_MS = 1_000;

/** How often slots are written, in ms. */
const WRITE_MS = 1_000;

/** Of what the caller says before the path opens this much counts, in slots: a second. */
const EARLY_SLOTS = 50;

/**
 * What somebody has said before the path opens is sent afterwards, and has its place in the past: up to this much, in slots. 10 s
 * are more than there are from taking a call to its opening.
 */
const PAST_SLOTS = 500;

/** While that is being sent nothing is written that may still come, up to this much, in slots: 15 s. */
const BEHIND_SLOTS = 750;

export class Recording {
  readonly #ogg: OggWriter;
  readonly #left = new Lane(WINDOW_PACKETS);
  readonly #right = new Lane(1);
  #state: RecordingState = 'off';
  #isOpen = false;
  /** The next slot to write; undefined before the first. */
  #next: number | undefined;
  #writeAtMs = -Infinity;

  /**
   * @param serial 0 to 2^32 - 1, random
   * @param onPage hears of every page; the first two are the headers
   */
  constructor(serial: number, onPage: OnPage) {
    this.#ogg = new OggWriter(serial, onPage);
  }

  /** 20 ms each. */
  get packets(): number {
    return this.#ogg.packets;
  }

  /** What of both voices came and is not in the file; `Lane` says why. */
  get leftOut(): { readonly unfit: number; readonly dropped: number } {
    const [left, right] = [this.#left, this.#right];
    return { unfit: left.unfit + right.unfit, dropped: left.dropped + right.dropped };
  }

  /**
   * Takes over a state. Nothing that was said while it was not `on` gets into the file, whenever it arrives; what was said before
   * the path opened belongs to the opening.
   */
  want(state: RecordingState, nowMs: number): void {
    const before = this.#state;
    if (state === before) return;
    if (before === 'on') this.#writeUntil(slotOf(nowMs));
    this.#state = state;
    // An `off` that is followed by anything else was a pause; one that is not is where the file ends.
    if (before !== 'on') this.#pauseUntil(slotOf(nowMs));
    if (!this.#isOpen) return;
    this.#left.reset(slotOf(nowMs));
    this.#right.reset(slotOf(nowMs));
  }

  /** The path is open: from here on there is something to record. */
  open(nowMs: number): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#keepPast(nowMs);
    this.#left.forget(slotOf(nowMs) - EARLY_SLOTS);
    this.#writeAtMs = nowMs + WRITE_MS;
  }

  /** One packet of the caller's. The bytes must not change afterwards. */
  heard(bytes: Uint8Array, start: number, end: number, timestamp: number, nowMs: number): void {
    if (!this.#isOpen) this.#keepPast(nowMs);
    else if (this.#state !== 'on') return;
    this.tick(nowMs);
    this.#left.push(bytes, start, end, timestamp, nowMs);
  }

  /** One packet that the caller is sent. The bytes must not change afterwards. @param dueMs when the caller is to hear it */
  sent(
    bytes: Uint8Array,
    start: number,
    end: number,
    timestamp: number,
    dueMs: number,
    nowMs: number,
  ): void {
    if (this.#state !== 'on') return;
    this.tick(nowMs);
    this.#right.push(bytes, start, end, timestamp, dueMs);
  }

  /** Writes what is due. Call it every second at least. */
  tick(nowMs: number): void {
    if (nowMs < this.#writeAtMs || !this.#isOpen) return;
    this.#writeAtMs = nowMs + WRITE_MS;
    if (this.#state === 'on') {
      const due = slotOf(nowMs - WAIT_MS);
      this.#writeUntil(Math.max(Math.min(due, this.#right.end), due - BEHIND_SLOTS));
    } else if (this.#state === 'paused') this.#pauseUntil(slotOf(nowMs));
  }

  /** Ends the file. @returns false when there is nothing in it, and so no file */
  close(nowMs: number): boolean {
    // What was sent ahead of the clock was sent.
    if (this.#state === 'on') this.#writeUntil(Math.max(slotOf(nowMs), this.#right.end));
    else if (this.#state === 'paused') this.#pauseUntil(slotOf(nowMs));
    this.#state = 'off';
    if (this.#next === undefined) return false;
    this.#ogg.finish();
    return true;
  }

  #keepPast(nowMs: number): void {
    this.#left.skipTo(slotOf(nowMs) - PAST_SLOTS);
    this.#right.skipTo(slotOf(nowMs) - PAST_SLOTS);
  }

  /** Writes all slots before this one. The file begins with the first that holds something. */
  #writeUntil(slot: number): void {
    if (!this.#isOpen) return;
    if (this.#next === undefined) {
      const first = Math.min(this.#left.first, this.#right.first);
      this.#left.skipTo(Math.min(first, slot));
      this.#right.skipTo(Math.min(first, slot));
      if (first >= slot) return;
      this.#next = first;
      this.#ogg.writeHeaders();
    }
    const ogg = this.#ogg;
    for (; (this.#next ?? slot) < slot; this.#next = (this.#next ?? slot) + 1) {
      const at = this.#left.write(ogg.bytes, ogg.begin(), true);
      ogg.end(this.#right.write(ogg.bytes, at, false));
    }
  }

  /** Writes silence up to this slot. A file that has not begun does not begin with it. */
  #pauseUntil(slot: number): void {
    if (this.#next === undefined) return;
    const ogg = this.#ogg;
    for (; this.#next < slot; this.#next++) {
      const at = writeSilence(ogg.bytes, ogg.begin(), true);
      ogg.end(writeSilence(ogg.bytes, at, false));
    }
  }
}

const slotOf = (ms: number): number => Math.floor(ms / SLOT_MS);
