// A participant of a room by LiveKit's own client: speaks a tone and finds the tones that others speak.
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  Room,
  RoomEvent,
  TrackPublishOptions,
  TrackSource,
  type LocalTrackPublication,
  type RemoteParticipant,
  type RemoteTrack,
} from '@livekit/rtc-node';
import { setTimeout as delay } from 'node:timers/promises';
import { amplitudeOf } from './tone.ts';

const SAMPLE_RATE_HZ = 48_000;
const FRAME_SAMPLES = SAMPLE_RATE_HZ / 50;

const LEAVE_MS_MAX = 5_000;

export class Participant {
  readonly room = new Room();
  /** Tones heard so far: for each frequency asked of `listenFor`, how many 20 ms frames held it. */
  readonly heard = new Map<number, number>();
  /** When each tone was heard first, on the clock of `performance.now`. */
  readonly firstHeardAtMs = new Map<number, number>();
  #source: AudioSource | undefined;
  #publication: LocalTrackPublication | undefined;
  #toneHz = 0;
  #isClosed = false;
  readonly #tones: readonly number[];

  private constructor(tones: readonly number[]) {
    this.#tones = tones;
  }

  /** @param tones frequencies in Hz to listen for in whoever else publishes */
  static async join(
    url: string,
    token: string,
    tones: readonly number[] = [],
  ): Promise<Participant> {
    const participant = new Participant(tones);
    const { room } = participant;
    room.on(
      RoomEvent.TrackSubscribed,
      (track: RemoteTrack, _publication, from: RemoteParticipant) => {
        void participant.#listen(track, from);
      },
    );
    await room.connect(url, token, { autoSubscribe: true, dynacast: false });
    return participant;
  }

  /** Publishes a microphone track that carries a tone; 0 Hz is silence. */
  async speak(toneHz: number, { dtx = false } = {}): Promise<void> {
    this.#toneHz = toneHz;
    if (this.#source) return;
    this.#source = new AudioSource(SAMPLE_RATE_HZ, 1);
    const track = LocalAudioTrack.createAudioTrack('microphone', this.#source);
    const options = new TrackPublishOptions({
      source: TrackSource.SOURCE_MICROPHONE,
      dtx,
      red: false,
    });
    this.#publication = await this.room.localParticipant?.publishTrack(track, options);
    void this.#play(this.#source, () => this.#toneHz);
  }

  /** Publishes a second track, as an AI agent does with sounds of an office, that carries another tone, less loud. */
  async playBackground(toneHz: number): Promise<void> {
    const source = new AudioSource(SAMPLE_RATE_HZ, 1);
    const track = LocalAudioTrack.createAudioTrack('background', source);
    const options = new TrackPublishOptions({
      source: TrackSource.SOURCE_UNKNOWN,
      dtx: false,
      red: false,
    });
    await this.room.localParticipant?.publishTrack(track, options);
    void this.#play(source, () => toneHz, 2_000);
  }

  /** Changes the tone without publishing anew. */
  setTone(toneHz: number): void {
    this.#toneHz = toneHz;
  }

  /** Of the microphone. */
  get trackSid(): string {
    return this.#publication?.sid ?? '';
  }

  async unpublish(): Promise<void> {
    this.#source = undefined;
    await this.room.localParticipant?.unpublishTrack(this.trackSid);
  }

  /** Resolves when it has left; a client that is stuck while it reconnects is left behind. */
  async leave(): Promise<void> {
    this.#isClosed = true;
    await Promise.race([this.room.disconnect(), delay(LEAVE_MS_MAX, undefined, { ref: false })]);
  }

  async #play(source: AudioSource, toneHz: () => number, amplitude = 8_000): Promise<void> {
    let phase = 0;
    while (!this.#isClosed) {
      const hz = toneHz();
      const pcm = new Int16Array(FRAME_SAMPLES);
      for (let index = 0; index < FRAME_SAMPLES; index++) {
        pcm[index] = hz === 0 ? 0 : Math.round(amplitude * Math.sin(phase));
        phase += (2 * Math.PI * hz) / SAMPLE_RATE_HZ;
      }
      // Resolves at the pace of the audio: the source's queue is bounded.
      await source.captureFrame(new AudioFrame(pcm, SAMPLE_RATE_HZ, 1, FRAME_SAMPLES));
    }
  }

  async #listen(track: RemoteTrack, _from: RemoteParticipant): Promise<void> {
    const reader = new AudioStream(track, {
      sampleRate: SAMPLE_RATE_HZ,
      numChannels: 1,
      frameSizeMs: 20,
    }).getReader();
    while (!this.#isClosed) {
      const { done, value } = await reader.read();
      if (done || !value) return;
      for (const hz of this.#tones) {
        if (amplitudeOf(value.data, hz, SAMPLE_RATE_HZ) < 1_000) continue;
        this.heard.set(hz, (this.heard.get(hz) ?? 0) + 1);
        if (!this.firstHeardAtMs.has(hz)) this.firstHeardAtMs.set(hz, performance.now());
      }
    }
  }
}
