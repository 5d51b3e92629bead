// An agent for tests and the demo: joins a room as any LiveKit client would, plays a tone as its voice, and says which tones
// it hears. Built on LiveKit's own client library, so it shares nothing with the relay.
import { restoreNodeEnv } from './quiet-rtc-node.ts';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  Room,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
  type RemoteTrack,
} from '@livekit/rtc-node';
import { loudness, tone, toneShare } from './tone.ts';

restoreNodeEnv();

/** Where and as whom to join: what `POST /v1/calls/:id/claim` returns. */
export type Seat = { livekit_url: string; token: string };

export type AgentOptions = {
  /** The voice; undefined is silence, which is published all the same. */
  toneHz?: number;
  /** Do not publish a microphone at all: an agent that never becomes ready. */
  isListenOnly?: boolean;
};

/** One stretch of sound from one participant. */
export type Heard = { identity: string; hz: number; atMs: number };

const SAMPLE_RATE_HZ = 48_000;
const FRAME_MS = 10;
const FRAME_SAMPLES = (SAMPLE_RATE_HZ * FRAME_MS) / 1000;
/** What waits in the source at most, in ms: little, so that a tone starts when it is asked for. */
const QUEUE_MS = 50;
/** How much sound one judgement rests on: 40 ms tell tones 25 Hz apart. */
const WINDOW_SAMPLES = SAMPLE_RATE_HZ / 25;
/** Below this root mean square it is silence or comfort noise. */
const LOUDNESS_MIN = 300;
/** Opus at telephone bit rates leaves a steady tone well above this share. */
const TONE_SHARE_MIN = 0.6;

type Waiter = { hz: number; resolve: (heard: Heard) => void };

/** See the head of this file. */
export class TestAgent {
  readonly room = new Room();
  /** When the microphone was published, by this machine's clock in ms; undefined before that. */
  publishedAtMs: number | undefined;
  /** First time each tone was heard, per participant. */
  readonly heard: Heard[] = [];
  #toneHz: number | undefined;
  readonly #over = new AbortController();
  #source: AudioSource | undefined;
  #waiters: Waiter[] = [];
  #pump: Promise<void> | undefined;
  #tonesToFind = new Set<number>();

  constructor(toneHz: number | undefined) {
    this.#toneHz = toneHz;
  }

  /** Joins, and publishes the microphone unless it is to listen only. */
  static async join(seat: Seat, options: AgentOptions = {}): Promise<TestAgent> {
    const agent = new TestAgent(options.toneHz);
    const { room } = agent;
    room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
      if (track.kind === TrackKind.KIND_AUDIO) void agent.#listen(track, participant.identity);
    });
    room.on(RoomEvent.Disconnected, () => {
      agent.#over.abort();
    });
    await room.connect(seat.livekit_url, seat.token, { autoSubscribe: true, dynacast: false });
    if (!options.isListenOnly) await agent.publish();
    return agent;
  }

  /** Publishes the microphone, for one who joined to listen only. */
  async publish(): Promise<void> {
    this.#source = new AudioSource(SAMPLE_RATE_HZ, 1, QUEUE_MS);
    const track = LocalAudioTrack.createAudioTrack('microphone', this.#source);
    const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE, dtx: false });
    this.#pump = this.#play(this.#source);
    await this.room.localParticipant?.publishTrack(track, options);
    this.publishedAtMs = Date.now();
  }

  /** Feeds the source; it answers only when it has room, which sets the pace. */
  async #play(source: AudioSource): Promise<void> {
    for (let sample = 0; !this.#over.signal.aborted; sample += FRAME_SAMPLES) {
      const pcm =
        this.#toneHz === undefined
          ? new Int16Array(FRAME_SAMPLES)
          : tone(this.#toneHz, FRAME_SAMPLES, sample, SAMPLE_RATE_HZ);
      await source.captureFrame(new AudioFrame(pcm, SAMPLE_RATE_HZ, 1, FRAME_SAMPLES));
    }
  }

  /** Speaks with another tone from now on; undefined is silence. */
  speak(toneHz: number | undefined): void {
    this.#toneHz = toneHz;
  }

  async #listen(track: RemoteTrack, identity: string): Promise<void> {
    const window = new Int16Array(WINDOW_SAMPLES);
    let filled = 0;
    for await (const { data } of new AudioStream(track, SAMPLE_RATE_HZ, 1)) {
      for (let offset = 0; offset < data.length;) {
        const piece = data.subarray(offset, offset + WINDOW_SAMPLES - filled);
        window.set(piece, filled);
        filled += piece.length;
        offset += piece.length;
        if (filled < WINDOW_SAMPLES) continue;
        filled = 0;
        this.#judge(window, identity);
      }
    }
  }

  #judge(window: Int16Array, identity: string): void {
    if (loudness(window) < LOUDNESS_MIN) return;
    for (const hz of this.#tonesToFind) {
      if (toneShare(window, hz, SAMPLE_RATE_HZ) < TONE_SHARE_MIN) continue;
      const heard = { identity, hz, atMs: Date.now() };
      if (!this.heard.some((known) => known.hz === hz && known.identity === identity)) {
        this.heard.push(heard);
      }
      for (const waiter of this.#waiters.filter((waiter) => waiter.hz === hz))
        waiter.resolve(heard);
      this.#waiters = this.#waiters.filter((waiter) => waiter.hz !== hz);
    }
  }

  /** Notes in `heard` from now on when this tone comes up. */
  listenFor(hz: number): void {
    this.#tonesToFind.add(hz);
  }

  /**
   * Waits until a tone is heard, from anybody, from now on.
   *
   * @throws Error naming what was heard instead after `timeoutMs`
   */
  hears(hz: number, timeoutMs = 10_000): Promise<Heard> {
    this.listenFor(hz);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter.resolve !== settle);
        const instead = this.heard.map((heard) => `${heard.hz} Hz from ${heard.identity}`);
        reject(
          new Error(`no ${hz} Hz within ${timeoutMs} ms; heard: ${instead.join(', ') || '-'}`),
        );
      }, timeoutMs);
      const settle = (heard: Heard): void => {
        clearTimeout(timer);
        resolve(heard);
      };
      this.#waiters.push({ hz, resolve: settle });
    });
  }

  /** Resolves when the room has let this agent go: deleted, removed, or left. */
  async gone(timeoutMs = 15_000): Promise<void> {
    if (!this.room.isConnected) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`the agent is still in the room after ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.room.once(RoomEvent.Disconnected, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Leaves on purpose. Harmless when it has gone already. */
  async leave(): Promise<void> {
    this.#over.abort();
    await this.#pump?.catch(() => {});
    await this.room.disconnect();
    await this.#source?.close();
    this.#source = undefined;
  }
}
