// What a call is to play by its wanted state: one prompt at a time, each once.
import type { Bridge } from './bridge.ts';
import type { LoadPrompt, Log } from './ports.ts';
import type { CallWant } from './protocol.ts';

export type PlayOrderDeps = {
  readonly bridge: Pick<Bridge, 'awaitPlay' | 'play' | 'stopPlaying'>;
  readonly loadPrompt: LoadPrompt;
  readonly log: Log;
  /** A prompt is over; `completed` is false when it could not be had or read. */
  readonly onPlayed: (id: number, completed: boolean) => void;
};

export class PlayOrder {
  readonly #callId: string;
  readonly #deps: PlayOrderDeps;
  /** The latest prompt that was wanted, until it is not any more. */
  #id: number | undefined;

  constructor(callId: string, deps: PlayOrderDeps) {
    this.#callId = callId;
    this.#deps = deps;
  }

  /** Plays what has not been played yet, and cuts off what is not wanted any more. */
  want(playing: CallWant['playing']): void {
    if (playing?.id === this.#id) return;
    this.#id = playing?.id;
    if (playing) void this.#play(playing);
    else this.#deps.bridge.stopPlaying();
  }

  /** The call is over: nothing is told any more. */
  close(): void {
    this.#id = undefined;
  }

  async #play({ id, prompt, loop }: NonNullable<CallWant['playing']>): Promise<void> {
    const { bridge, loadPrompt, log, onPlayed } = this.#deps;
    bridge.awaitPlay();
    const loaded = await loadPrompt(prompt);
    if (this.#id !== id) return;
    if (loaded.ok) {
      bridge.play({ sound: loaded.sound, isLoop: loop, onEnd: () => onPlayed(id, true) });
      return;
    }
    bridge.stopPlaying();
    log.warn({ call_id: this.#callId, prompt, detail: loaded.message }, 'call.prompt-failed');
    onPlayed(id, false);
  }
}
