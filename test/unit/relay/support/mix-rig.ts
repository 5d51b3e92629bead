// One direction of a call on a virtual clock: sources that are encoded by libopus, the relay's voices, its mixing thread (in this
// one), and a phone that decodes what it is sent.
import { createDecoder, createEncoder, type EncoderOptions } from 'libopus-wasm';
import { loadOpus } from '../../../../relay/adapters/opus.ts';
import type { Codec } from '../../../../relay/domain/codec.ts';
import { MixDesk } from '../../../../relay/domain/mix-desk.ts';
import { emptyRtpView, readRtp, writeRtpHeader } from '../../../../relay/domain/rtp.ts';
import { Mixing } from '../../../../relay/mixing.ts';
import type { Clock, Log, OpenMixLine, StartMixThread, Ticker } from '../../../../relay/ports.ts';
import { Pump } from '../../../../relay/pump.ts';
import { Voices } from '../../../../relay/voices.ts';

export const PHONE_RATE_HZ = 16_000;
export const PHONE_FRAME = PHONE_RATE_HZ / 50;

/** -1 to 1 at a time in seconds. */
export type Signal = (seconds: number) => number;

export const silence: Signal = () => 0;

/** @param amplitude 0 to 1 */
export const sine =
  (hz: number, amplitude = 0.25): Signal =>
  (seconds) =>
    amplitude * Math.sin(2 * Math.PI * hz * seconds);

/** A signal between two times in seconds, silence before and after. */
export const between =
  (from: number, to: number, signal: Signal): Signal =>
  (seconds) =>
    seconds >= from && seconds < to ? signal(seconds) : 0;

export type SourceOptions = {
  readonly signal: Signal;
  readonly frameMs?: number;
  readonly encoder?: EncoderOptions;
  /** When each packet arrives after it was sent, in ms; `undefined`: never. */
  readonly delayMs?: (packet: number) => number | undefined;
  /** Packets are sent from here to there, in ms. */
  readonly fromMs?: number;
  readonly untilMs?: number;
  /** Moves this source's packets against the others', in ms. */
  readonly offsetMs?: number;
};

/** Coded by SILK at 16 kHz, as the mix itself. */
export const SILK: EncoderOptions = { bitrate: 24_000, maxBandwidth: 1103 };
/** Coded by SILK at 12 kHz. */
export const NARROW: EncoderOptions = { bitrate: 16_000, maxBandwidth: 1102 };
/** Coded by SILK, and by CELT above 8 kHz: what browsers send of a voice. */
export const HYBRID: EncoderOptions = { bitrate: 32_000 };
/** Coded by CELT alone, as music is. */
export const CELT: EncoderOptions = {
  bitrate: 96_000,
  application: 2049,
  signal: 3002,
  fec: false,
  packetLossPercent: 0,
};

export type Sent = {
  atMs: number;
  sequence: number;
  timestamp: number;
  payload: Uint8Array;
  isMixed: boolean;
};

type Due = { atMs: number; run: () => void };

const nothing = () => undefined;
export const quietLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

let codec: Codec | undefined;

export class MixRig {
  readonly sent: Sent[] = [];
  readonly voices: Voices;
  readonly pump: Pump;
  readonly mixing: Mixing;
  readonly clock: Clock = { nowMs: () => this.nowMs, wallMs: () => this.nowMs };
  nowMs = 0;
  readonly #ticks = new Set<(nowMs: number) => void>();
  readonly #queue: Due[] = [];
  #isMixed = false;
  readonly #gone = new Set<number>();

  private constructor(codec: Codec, startThread?: StartMixThread) {
    const view = emptyRtpView();
    this.pump = new Pump({ sequence: 65_500, timestamp: 0xffff_0000 }, (packet) => {
      readRtp(packet, 0, view);
      const payload = packet.slice(view.payloadStart, view.payloadEnd);
      const { sequence, timestamp } = view;
      this.sent.push({ atMs: this.nowMs, sequence, timestamp, payload, isMixed: this.#isMixed });
    });
    const ticker: Ticker = {
      add: (tick) => {
        this.#ticks.add(tick);
        return () => this.#ticks.delete(tick);
      },
    };
    this.mixing = new Mixing({
      startThread: startThread ?? inlineThread(codec, (step) => this.at(this.nowMs + 1, step)),
      threadsMax: 1,
      ticker,
      clock: this.clock,
      log: quietLog,
    });
    const openMixLine: OpenMixLine = (handlers) =>
      this.mixing.open({
        ...handlers,
        onPacket: (packet) => {
          this.#isMixed = true;
          handlers.onPacket(packet);
          this.#isMixed = false;
        },
      });
    this.voices = new Voices(this.pump, { clock: this.clock, openMixLine });
    this.pump.start({ ssrc: 1, payloadType: 111, audioLevelId: 0, cname: 'c' }, 0);
    this.pump.open(0);
    const tick = () => {
      this.voices.tick(this.nowMs);
      this.pump.tick(this.nowMs);
      for (const member of this.#ticks) member(this.nowMs);
      this.at(this.nowMs + 10, tick);
    };
    this.at(0, tick);
  }

  static async start(startThread?: StartMixThread): Promise<MixRig> {
    codec ??= await loadOpus();
    return new MixRig(codec, startThread);
  }

  /** Runs something at a time. */
  at(atMs: number, run: () => void): void {
    const after = this.#queue.findIndex((due) => due.atMs > atMs);
    this.#queue.splice(after < 0 ? this.#queue.length : after, 0, { atMs, run });
  }

  /** Schedules all packets of a source up to a time. */
  async add(source: number, untilMs: number, options: SourceOptions): Promise<Uint8Array[]> {
    const { frameMs = 20, delayMs = () => 0, offsetMs = 0, fromMs = 0 } = options;
    const encoder = await createEncoder({
      sampleRate: 48_000,
      channels: 1,
      application: 2048,
      complexity: 0,
      fec: true,
      packetLossPercent: 10,
      frameSize: 48 * frameMs,
      ...(options.encoder ?? SILK),
    });
    const packets: Uint8Array[] = [];
    const end = Math.min(untilMs, options.untilMs ?? Infinity);
    for (let number = 0; number * frameMs + fromMs < end; number++) {
      const channels = encoder.channels;
      const pcm = new Float32Array(48 * frameMs * channels);
      for (let index = 0; index < pcm.length; index++)
        pcm[index] = options.signal(
          fromMs / 1000 + (number * frameMs) / 1000 + Math.floor(index / channels) / 48_000,
        );
      const payload = encoder.encodeFloat(pcm);
      packets.push(payload);
      const late = delayMs(number);
      if (late === undefined) continue;
      const packet = new Uint8Array(12 + payload.length);
      writeRtpHeader(
        packet,
        111,
        false,
        (source * 1000 + number) & 0xffff,
        (source * 77_777 + number * frameMs * 48) >>> 0,
        source,
        0,
        0,
      );
      packet.set(payload, 12);
      // A packet is sent when its last sample has been said.
      this.at(fromMs + (number + 1) * frameMs + offsetMs + late, () => this.say(source, packet));
    }
    encoder.free();
    return packets;
  }

  /** The source is to be heard no more, and nothing comes from it. */
  forget(source: number): void {
    this.#gone.add(source);
    this.voices.forget(source);
  }

  say(source: number, packet: Uint8Array): void {
    if (this.#gone.has(source)) return;
    const view = this.pump.receive(packet, 0);
    if (view) this.voices.said(source, packet, view, this.nowMs);
  }

  /** Lets the time pass. */
  run(untilMs: number): void {
    for (;;) {
      const next = this.#queue[0];
      if (!next || next.atMs > untilMs) break;
      this.#queue.shift();
      this.nowMs = next.atMs;
      next.run();
    }
    this.nowMs = untilMs;
  }

  /** What the phone hears, from its first packet on. */
  async heard(): Promise<Float32Array> {
    return await decodeAll(this.sent);
  }

  /** Places of the packets that were mixed. */
  mixed(): number[] {
    return this.sent.flatMap(({ isMixed }, place) => (isMixed ? [place] : []));
  }

  /** Index of the first sample of the first packet that was sent at or after a time. */
  sampleAt(atMs: number): number {
    const first = this.sent[0];
    const packet = this.sent.find((sent) => sent.atMs >= atMs);
    if (!first || !packet) throw new RangeError('nothing was sent then');
    return ((packet.timestamp - first.timestamp) >>> 0) / (48_000 / PHONE_RATE_HZ);
  }
}

/** Decodes a stream as a phone does: in order, with what is missing made up. */
export async function decodeAll(sent: readonly Sent[]): Promise<Float32Array> {
  const decoder = await createDecoder({ sampleRate: PHONE_RATE_HZ, channels: 1 });
  const [first] = sent;
  if (!first) return new Float32Array(0);
  const place = ({ timestamp }: Sent) => ((timestamp - first.timestamp) | 0) / 960;
  const frames = new Map(sent.map((packet) => [place(packet), packet.payload]));
  const count = Math.max(...frames.keys()) + 1;
  const pcm = new Float32Array(count * PHONE_FRAME);
  for (let frame = 0; frame < count; frame++) {
    const payload = frames.get(frame);
    const decoded = payload
      ? decoder.decodeFloat(payload)
      : decoder.decodePacketLossFloat(PHONE_FRAME);
    pcm.set(decoded.subarray(0, PHONE_FRAME), frame * PHONE_FRAME);
  }
  decoder.free();
  return pcm;
}

/** A mixing thread in this one, which answers a moment later. */
export const inlineThread =
  (codec: Codec, later: (step: () => void) => void): StartMixThread =>
  (handlers) => {
    const desk = new MixDesk(codec);
    let isStopped = false;
    return {
      post: (batch) => {
        const answer = desk.work(batch);
        later(() => {
          if (!isStopped) handlers.onAnswer(answer);
        });
      },
      stop: () => {
        isStopped = true;
      },
    };
  };
