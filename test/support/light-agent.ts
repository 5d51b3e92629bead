// An agent that costs little, for tests with many of them: it sends ready-made frames and judges what comes by its RTP headers.
// It stands on the relay's own connection to a room; `TestAgent` is the one that shares nothing with the product.
import { createJoinRoom } from '../../relay/adapters/livekit-room.ts';
import { emptyRtpView, isRtcp, readRtp, writeRtpHeader } from '../../relay/domain/rtp.ts';
import type { Log, RoomEnd, RoomLink } from '../../relay/ports.ts';
import { Hearing, type HeardReport } from '../local/simulator/hearing.ts';
import { Talking } from '../local/simulator/talking.ts';
import type { Claim } from './roomline-client.ts';

const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const joinRoom = createJoinRoom({ url: undefined, bindAddress: '127.0.0.1' }, log);
const nowMs = () => performance.timeOrigin + performance.now();

const CONNECT_MS_MAX = 15_000;
/** What an ordinary voice measures, in -dBov. */
const LEVEL = 20;

const packet = new Uint8Array(1_600);
const view = emptyRtpView();

/** See the head of this file. */
export class LightAgent {
  readonly #hearing: Hearing;
  readonly #talking = new Talking(({ marker, sequenceNumber, timestamp }, payload) => {
    const { payloadType, ssrc, audioLevelId } = this.#link?.publication ?? {};
    if (payloadType === undefined || ssrc === undefined || audioLevelId === undefined) return;
    const at = writeRtpHeader(
      packet,
      payloadType,
      marker,
      sequenceNumber,
      timestamp,
      ssrc,
      audioLevelId,
      LEVEL,
    );
    packet.set(payload, at);
    this.#link?.send(packet.subarray(0, at + payload.length));
  }, nowMs);
  #link: RoomLink | undefined;
  readonly #gone = Promise.withResolvers<RoomEnd>();

  private constructor(decode: boolean) {
    this.#hearing = new Hearing(decode);
    this.#hearing.markAccepted();
  }

  /**
   * Takes a seat that was claimed and speaks with a tone.
   *
   * @param listen false judges what comes by its headers alone
   * @param caller identity of the caller, where it is not the one that the worker gives
   * @throws Error when the room cannot be joined
   */
  static async join(
    { livekit_url: url, token, call_id: callId, identity }: Claim,
    {
      toneHz,
      listen = true,
      caller = `caller-${callId}`,
    }: { toneHz: number; listen?: boolean; caller?: string },
  ): Promise<LightAgent> {
    const agent = new LightAgent(listen);
    await new Promise<void>((resolve, reject) => {
      agent.#link = joinRoom(
        { url, token, cname: identity, connectMsMax: CONNECT_MS_MAX },
        { named: [caller], excluded: [], ai: false, everyone: false },
        {
          onJoined: resolve,
          onEnded: (end) => {
            agent.#talking.stop();
            agent.#gone.resolve(end);
            reject(new Error(`${end.why}: ${end.detail}`));
          },
          onAudio: (_source, bytes) => agent.#hear(bytes),
          onReport: nothing,
          onParticipantJoined: nothing,
          onParticipantLeft: nothing,
          onPublisherSkipped: nothing,
          onReady: nothing,
          onSourceGone: nothing,
          onSpeaking: nothing,
          onCallerHeard: nothing,
          onTransferAsked: () => false,
          onKey: nothing,
        },
      );
    });
    agent.speak(toneHz);
    return agent;
  }

  /** Speaks with another tone from now on. */
  speak(toneHz: number): void {
    this.#talking.play({ kind: 'tone', hz: toneHz });
  }

  /** From the next frame on, each says its number, counted from 0. */
  count(): void {
    this.#talking.count();
  }

  /** How many frames have said their number. */
  get counted(): number {
    return this.#talking.counted;
  }

  /** What the caller's numbered frames have said, in the order in which they came; the first 2,000. */
  get numbersHeard(): readonly number[] {
    return this.#hearing.numbers;
  }

  /** What came from the caller so far. */
  heard(): HeardReport {
    return this.#hearing.report();
  }

  /** Resolves with how the room has let this agent go. Never, when it leaves by itself. */
  gone(): Promise<RoomEnd> {
    return this.#gone.promise;
  }

  /** Leaves on purpose. Harmless when repeated. */
  async leave(): Promise<void> {
    this.#talking.stop();
    await this.#link?.leave();
    this.#hearing.close();
  }

  #hear(bytes: Uint8Array): void {
    if (isRtcp(bytes) || !readRtp(bytes, 0, view)) return;
    const { payloadType, sequence, timestamp, ssrc, payloadStart, payloadEnd } = view;
    // Packets without payload are probes of the server's; they share our numbers.
    const payload = Buffer.from(bytes.subarray(payloadStart, payloadEnd));
    this.#hearing.hearRtp({ payloadType, sequence, timestamp, ssrc, payload }, nowMs());
  }
}
