// One direction of a call: packets of sources go in, one unbroken stream of finished RTP packets comes out.
import { Arrivals } from './domain/arrivals.ts';
import { KeyWriter, type SendEvent } from './domain/dtmf-write.ts';
import { FRAME_MS, LEVEL_SILENT, OPUS_TICKS_PER_MS, SILENCE_FRAME } from './domain/opus.ts';
import { ReceiverReports } from './domain/receiver-reports.ts';
import { middleOf, writeSenderReport, type ReceptionReport } from './domain/rtcp.ts';
import {
  emptyRtpView,
  readRtp,
  RTP_HEADER_WITH_LEVEL_BYTES,
  writeRtpHeader,
  type RtpView,
} from './domain/rtp.ts';
import { SpeechLevel } from './domain/speech.ts';
import { Stitcher, type SourcePacket } from './domain/stitcher.ts';
import type { CallStats } from './protocol.ts';

/** Header fields of the stream that goes out. */
export type StreamIdentity = {
  readonly ssrc: number;
  readonly payloadType: number;
  /** Payload type of key presses; `undefined` where nobody takes them. */
  readonly eventType?: number | undefined;
  /** Id of the RFC 6464 extension to write, 0 for none. */
  readonly audioLevelId: number;
  readonly cname: string;
};

/** Hears of each packet that goes out. The bytes do not change afterwards. @param dueMs the packet's slot, on our clock */
export type OnSent = (
  bytes: Uint8Array,
  start: number,
  end: number,
  timestamp: number,
  dueMs: number,
  nowMs: number,
) => void;

/** An Opus packet is at most 1275 bytes a frame; with a header this fits whatever arrives over one UDP packet. */
const PACKET_BYTES_MAX = 1_600;

/** Packets are written here and copied by the library while it sends them, so one buffer serves the whole process. */
const scratch = new Uint8Array(PACKET_BYTES_MAX);

const NO_BYTES = new Uint8Array(0);

export class Pump {
  /** What has arrived of the sources. */
  readonly arrivals = new Arrivals();
  readonly #reports = new ReceiverReports();
  #identity: StreamIdentity = { ssrc: 0, payloadType: 0, audioLevelId: 0, cname: '' };
  readonly #send: (packet: Uint8Array) => void;
  readonly #onSent: OnSent | undefined;
  readonly #stitcher: Stitcher;
  readonly #levels = new SpeechLevel();
  readonly #keys: KeyWriter;
  readonly #view: RtpView = emptyRtpView();
  readonly #packet: SourcePacket = {
    source: 0,
    sequence: 0,
    bytes: NO_BYTES,
    start: 0,
    end: 0,
    level: -1,
    isCounted: false,
  };
  #nowMs = 0;
  #countFromMs = Infinity;
  #filled = 0;
  #firstAudioMs: number | undefined;
  #packetsSent = 0;
  #octetsSent = 0;

  /**
   * @param start first sequence number (16 bits) and timestamp (32 bits), random
   * @param send takes one finished packet, whose bytes are reused afterwards
   */
  constructor(
    start: { sequence: number; timestamp: number },
    send: (packet: Uint8Array) => void,
    onSent?: OnSent,
  ) {
    this.#send = send;
    this.#onSent = onSent;
    this.#stitcher = new Stitcher(this.#emit, start.sequence, start.timestamp);
    this.#keys = new KeyWriter(this.#stitcher, this.#sendEvent);
  }

  get isOpen(): boolean {
    return this.#stitcher.isOpen;
  }

  /** What sources say leaves at once: nothing that was kept is still to be played. */
  get isLive(): boolean {
    return this.#stitcher.isOpen && !this.#stitcher.isCatchingUp;
  }

  /** How far the outgoing stream is ahead of the clock, in ms. */
  leadMs(nowMs: number): number {
    return this.#stitcher.leadMs(nowMs);
  }

  /** No packet is to be expected before `timeMs`. */
  expect(timeMs: number): void {
    this.#stitcher.expect(timeMs);
  }

  /** Starts the outgoing stream with silence; what sources say is kept. */
  start(identity: StreamIdentity, nowMs: number): void {
    this.#identity = identity;
    this.#packetsSent = this.#octetsSent = 0;
    this.#reports.begin(identity.ssrc);
    this.#nowMs = nowMs;
    this.#stitcher.start(nowMs);
  }

  /** Keeps this much of what sources say before the opening, in ms: a second unless told otherwise. Pauses go first. */
  keep(ms: number): void {
    this.#stitcher.keep(ms / FRAME_MS);
  }

  /** Plays what is kept, and lets the sources through from here on. Repeating it changes nothing. */
  open(nowMs: number): void {
    if (this.isOpen) return;
    this.#nowMs = nowMs;
    this.#stitcher.open(nowMs);
  }

  /** Ends the outgoing stream, whose receiver is gone. It may be started again, as another one. */
  stop(): void {
    this.#stitcher.stop();
  }

  /**
   * Everything is counted from here on: when the path opens. What came before was for nobody's ears, and the first packets of a
   * track that has just been subscribed have gaps that nobody can hear. Repeating it changes nothing.
   */
  countFrom(nowMs: number): void {
    if (this.#countFromMs === Infinity) this.#countFromMs = nowMs;
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#keys.tick(nowMs);
    this.#stitcher.tick(nowMs);
  }

  /** Presses a key toward the receiver, once those before it are let go. Passed over where nobody takes keys. */
  press(digit: string): void {
    if (this.#identity.eventType !== undefined) this.#keys.press(digit);
  }

  /** Lets go of the key that is down, and forgets those that wait. */
  clearKeys(nowMs: number): void {
    this.#keys.clear(nowMs);
  }

  /**
   * Reads one packet of a source.
   *
   * @returns its header, valid until the next call; `undefined` for bytes that are no RTP packet
   */
  receive(bytes: Uint8Array, audioLevelId: number): RtpView | undefined {
    return readRtp(bytes, audioLevelId, this.#view) ? this.#view : undefined;
  }

  /**
   * Counts the packet that `receive` has just read, whatever becomes of it. To be called once for each.
   *
   * @returns false for one that has come before, as far as it is counted
   */
  count(source: number, nowMs: number): boolean {
    return nowMs < this.#countFromMs || this.arrivals.packet(source, this.#view, true, nowMs);
  }

  /** Passes on the packet that `receive` has just read. */
  pass(source: number, bytes: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    const packet = this.#packet;
    packet.source = source;
    packet.sequence = this.#view.sequence;
    packet.bytes = bytes;
    packet.start = this.#view.payloadStart;
    packet.end = this.#view.payloadEnd;
    packet.level = this.#view.audioLevel;
    packet.isCounted = nowMs >= this.#countFromMs;
    this.#push(packet, nowMs);
  }

  /** The packet that `receive` has just read is no audio: it counts, and goes nowhere. */
  skip(source: number, nowMs: number): void {
    if (nowMs >= this.#countFromMs) this.arrivals.packet(source, this.#view, false, nowMs);
    this.leaveOut(source);
  }

  /** The packet that `receive` has just read goes nowhere, and is no loss. */
  leaveOut(source: number): void {
    this.#stitcher.skip(source, this.#view.sequence);
  }

  /** Sends one packet that `receive` has not just read, as a source that nobody counts. */
  play(source: number, sequence: number, packet: Uint8Array, nowMs: number): void {
    this.#nowMs = nowMs;
    const bytes = packet;
    const own = {
      source,
      sequence,
      bytes,
      start: 0,
      end: bytes.length,
      level: -1,
      isCounted: true,
    };
    this.#push(own, nowMs);
  }

  /** A source must not be heard any more, nor what it said before the opening. */
  forget(source: number): void {
    this.arrivals.forget(source);
    this.#stitcher.forget(source);
  }

  /** What anybody said before the opening must not be heard any more. */
  forgetKept(nowMs: number): void {
    this.#stitcher.forgetKept(nowMs);
  }

  /** A sender report about the outgoing stream; `undefined` before its first packet. */
  report(
    nowMs: number,
    wallMs: number,
    reception: ReceptionReport | undefined,
  ): Uint8Array | undefined {
    if (this.#packetsSent === 0) return undefined;
    const report = writeSenderReport({
      ssrc: this.#identity.ssrc,
      cname: this.#identity.cname,
      nowMs: wallMs,
      timestamp: this.#stitcher.timestampAt(nowMs),
      packets: this.#packetsSent,
      octets: this.#octetsSent,
      reception,
    });
    this.#reports.sent(middleOf(report), nowMs);
    return report;
  }

  /** The receiver of a stream has told of it; of any but the outgoing one this changes nothing. */
  told(reception: ReceptionReport, nowMs: number): void {
    this.#reports.take(reception, this.#packetsSent, nowMs);
  }

  stats(): CallStats['from_caller'] {
    const { packets, lost, duplicates, reordered, gaps, longestGap, jitterMs } =
      this.arrivals.figures();
    const receiver = this.#reports.figures();
    // What was said before the opening and played after it is heard as well.
    const early = this.#stitcher.uncounted;
    return {
      packets: packets + early.passed,
      lost: lost + early.lost,
      jitter_ms: hundredths(jitterMs),
      filled: this.#filled,
      ...(this.#firstAudioMs === undefined ? {} : { first_audio_ms: this.#firstAudioMs }),
      duplicates,
      reordered,
      late: this.#stitcher.dropped,
      gaps,
      longest_gap: longestGap,
      ...(receiver && {
        receiver: {
          packets: receiver.expected,
          lost: receiver.lost,
          jitter_ms: hundredths(receiver.jitterMs),
          ...(receiver.roundTripMs === undefined
            ? {}
            : { rtt_ms: hundredths(receiver.roundTripMs) }),
        },
      }),
    };
  }

  /** While a key is down the stream has no room for audio. Observed in libwebrtc's source: browsers send one of the two as well. */
  #push(packet: SourcePacket, nowMs: number): void {
    if (this.isLive && this.#keys.wantsSlot(nowMs))
      this.#stitcher.skip(packet.source, packet.sequence);
    else this.#stitcher.push(packet, nowMs);
  }

  readonly #sendEvent: SendEvent = (payload, sequence, timestamp, marker) => {
    const { eventType = 0, ssrc } = this.#identity;
    const at = writeRtpHeader(scratch, eventType, marker, sequence, timestamp, ssrc, 0, 0);
    scratch.set(payload, at);
    this.#packetsSent += 1;
    this.#octetsSent += payload.length;
    this.#send(scratch.subarray(0, at + payload.length));
  };

  readonly #emit = (
    bytes: Uint8Array,
    start: number,
    end: number,
    sequence: number,
    timestamp: number,
    marker: boolean,
  ): void => {
    const length = end - start;
    if (length > PACKET_BYTES_MAX - RTP_HEADER_WITH_LEVEL_BYTES) return;
    const { payloadType, ssrc, audioLevelId } = this.#identity;
    const isSilence = bytes === SILENCE_FRAME;
    let level = LEVEL_SILENT;
    if (audioLevelId > 0 && !isSilence) level = this.#levels.level(bytes, start, end);
    const at = writeRtpHeader(
      scratch,
      payloadType,
      marker,
      sequence,
      timestamp,
      ssrc,
      audioLevelId,
      level,
    );
    for (let index = 0; index < length; index++) scratch[at + index] = bytes[start + index] ?? 0;
    this.#packetsSent += 1;
    this.#octetsSent += length;
    if (this.#nowMs >= this.#countFromMs) {
      if (!isSilence) this.#firstAudioMs ??= Math.round(this.#nowMs - this.#countFromMs);
      else if (this.isOpen) this.#filled += 1;
    }
    this.#send(scratch.subarray(0, at + length));
    if (!this.#onSent) return;
    const nowMs = this.#nowMs;
    const dueTicks = (timestamp - this.#stitcher.timestampAt(nowMs)) | 0;
    this.#onSent(bytes, start, end, timestamp, nowMs + dueTicks / OPUS_TICKS_PER_MS, nowMs);
  };
}

const hundredths = (value: number): number => Math.round(value * 100) / 100;
