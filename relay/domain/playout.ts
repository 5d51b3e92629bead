// What the caller is played: a prompt, else the hold sound, else nothing. Pure: the caller brings the clock.
import { Player, type PlayPacket, type Sound } from './player.ts';

/** One play of a sound. */
export type Play = {
  readonly sound: Sound;
  readonly isLoop: boolean;
  /** It has played to its end; not said of one that was stopped or replaced. */
  readonly onEnd: () => void;
};

export class Playout {
  readonly #player = new Player();
  readonly #holdSound: Play;
  #prompt: Play | undefined;
  #isHeld = false;
  /** Until then nobody is heard, because a prompt is on its way. */
  #silentUntilMs = -Infinity;
  /** From then on the room is waited for. */
  #awaitsFromMs = Infinity;
  /** What the player was last started with. */
  #current: Play | undefined;

  constructor(holdSound: Sound) {
    this.#holdSound = { sound: holdSound, isLoop: true, onEnd: () => undefined };
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** The caller must hear nobody. While the room is merely waited for they hear whoever is there. */
  isInstead(nowMs: number): boolean {
    return this.#prompt !== undefined || this.#isHeld || nowMs < this.#silentUntilMs;
  }

  /** A prompt comes instead of the one before; nobody is heard until it is there, or until `untilMs`. */
  awaitPrompt(untilMs: number): void {
    this.#prompt = undefined;
    this.#silentUntilMs = untilMs;
  }

  /** The silence for a prompt that is on its way lasts until then at most. Harmless when there is none. */
  endSilence(atMs: number): void {
    this.#silentUntilMs = Math.min(this.#silentUntilMs, atMs);
  }

  /** Plays a prompt from its beginning instead of the one before, or none any more. */
  setPrompt(prompt: Play | undefined): void {
    this.#prompt = prompt;
    this.#silentUntilMs = -Infinity;
  }

  setHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  /** The room is away: the hold sound follows at `atMs`, unless it is back by then. Repeating it changes nothing. */
  awaitRoom(atMs: number): void {
    this.#awaitsFromMs = Math.min(this.#awaitsFromMs, atMs);
  }

  /** Harmless when the room is not waited for. */
  endWait(): void {
    this.#awaitsFromMs = Infinity;
  }

  /** Passes on what is due. Call it every 10 ms or so. */
  tick(nowMs: number, play: PlayPacket): void {
    this.#choose(nowMs);
    if (!this.#player.tick(nowMs, play)) return;
    const ended = this.#prompt;
    this.#prompt = undefined;
    ended?.onEnd();
    // What follows, follows at once.
    this.#choose(nowMs);
    this.#player.tick(nowMs, play);
  }

  #choose(nowMs: number): void {
    const hold = this.#isHeld || nowMs >= this.#awaitsFromMs ? this.#holdSound : undefined;
    const next = this.#prompt ?? hold;
    if (next === this.#current) return;
    this.#current = next;
    if (next) this.#player.start(next.sound, next.isLoop, nowMs);
    else this.#player.stop();
  }
}
