// What one simulated phone sends: an RTP stream of 20 ms frames on a steady clock, with key presses in between.
import { randomInt } from 'node:crypto';
import { RtpHeader } from 'werift';
import { numberedFrame } from './numbered.ts';
import { FRAME_TICKS } from './opus.ts';
import { loopOf, type Signal } from './signals.ts';

/** Where packets go; already-secured media in production, an array in tests. */
export type RtpSink = (header: RtpHeader, payload: Buffer) => void;

/** Payload types of Opus and of key presses. */
export type PayloadTypes = { readonly opus: number; readonly events: number | undefined };

const FRAME_MS = 20;
/** After a stall of the process at most this many frames are caught up; a real phone would have dropped the rest. */
const CATCH_UP_FRAMES_MAX = 10;
const DTMF_DIGITS = '0123456789*#ABCD';
/** RTP ticks of RFC 4733 run at 8 kHz: 160 in 20 ms. */
const DTMF_TICKS_PER_FRAME = 160;

type KeyPress = { readonly event: number; readonly frames: number };
type KeyDown = { readonly press: KeyPress; frame: number; readonly timestamp: number };

/** One outgoing RTP stream: one SSRC, continuous sequence numbers and timestamps from the first frame to the last. */
export class Talking {
  readonly ssrc = randomInt(1, 0xffff_ffff);
  packetsSent = 0;
  firstSentAtMs: number | null = null;
  /** Of Meta's own numbering; a business that calls brings its own. Keys without a payload type of theirs are not sent. */
  payloadTypes: PayloadTypes = { opus: 111, events: 126 };

  readonly #sink: RtpSink;
  readonly #now: () => number;
  #loop: readonly Buffer[] = loopOf({ kind: 'silence' });
  /** The number that the next frame says; -1 while frames carry a signal. */
  #number = -1;
  #position = 0;
  #sequence = randomInt(0x10000);
  #timestamp = randomInt(0x1_0000_0000);
  #timer: NodeJS.Timeout | undefined;
  #nextAtMs = 0;
  #keys: KeyPress[] = [];
  #key: KeyDown | undefined;

  /** @param now ms, monotonic */
  constructor(sink: RtpSink, now: () => number) {
    this.#sink = sink;
    this.#now = now;
  }

  /** Starts the stream, or changes what a running stream carries from the next frame on. */
  play(signal: Signal): void {
    this.#loop = loopOf(signal);
    this.#position = 0;
    this.#number = -1;
    this.#start();
  }

  /** From the next frame on, each says its number, counted from 0. */
  count(): void {
    this.#number = 0;
    this.#start();
  }

  /** Frames that have said their number. */
  get counted(): number {
    return Math.max(0, this.#number);
  }

  #start(): void {
    if (this.#timer) return;
    this.#nextAtMs = this.#now();
    this.#timer = setTimeout(() => this.#tick(), 0);
  }

  /** Stops sending altogether, as a phone without network does. Timestamps go on as if frames had been lost. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Queues key presses; audio pauses while a key is down. @param ms how long each key is held, 40 or more */
  press(digits: string, ms = 160): void {
    for (const digit of digits.toUpperCase()) {
      const event = DTMF_DIGITS.indexOf(digit);
      if (event < 0) throw new RangeError(`not a key of a phone: ${digit}`);
      this.#keys.push({ event, frames: Math.max(2, Math.round(ms / FRAME_MS)) });
    }
  }

  #tick(): void {
    const nowMs = this.#now();
    const behind = Math.floor((nowMs - this.#nextAtMs) / FRAME_MS);
    if (behind > CATCH_UP_FRAMES_MAX) {
      const skipped = behind - CATCH_UP_FRAMES_MAX;
      this.#nextAtMs += skipped * FRAME_MS;
      this.#timestamp += skipped * FRAME_TICKS;
    }
    while (this.#nextAtMs <= nowMs) {
      this.#sendFrame();
      this.#nextAtMs += FRAME_MS;
    }
    this.#timer = setTimeout(() => this.#tick(), Math.max(1, this.#nextAtMs - this.#now()));
  }

  #sendFrame(): void {
    this.#key ??= this.#nextKey();
    if (this.#key) this.#sendKey(this.#key);
    else this.#send(this.payloadTypes.opus, this.#timestamp, this.packetsSent === 0, this.#next());
    this.#position++;
    this.#timestamp += FRAME_TICKS;
  }

  #next(): Buffer {
    if (this.#number >= 0) return numberedFrame(this.#number++);
    return this.#loop[this.#position % this.#loop.length] as Buffer;
  }

  #nextKey(): KeyDown | undefined {
    const press = this.#keys.shift();
    return press && { press, frame: 0, timestamp: this.#timestamp };
  }

  /** Spec: RFC 4733 section 2.5.1: one timestamp per key, a growing duration, the end sent three times. */
  #sendKey(key: KeyDown): void {
    key.frame++;
    const isEnd = key.frame === key.press.frames;
    const { events } = this.payloadTypes;
    const payload = Buffer.alloc(4);
    payload.writeUInt8(key.press.event, 0);
    payload.writeUInt8((isEnd ? 0x80 : 0) | 10, 1);
    payload.writeUInt16BE(key.frame * DTMF_TICKS_PER_FRAME, 2);
    for (let copy = 0; copy < (isEnd ? 3 : 1); copy++) {
      if (events !== undefined) this.#send(events, key.timestamp, key.frame === 1, payload);
    }
    if (isEnd) this.#key = undefined;
  }

  #send(payloadType: number, timestamp: number, marker: boolean, payload: Buffer): void {
    const header = new RtpHeader({
      version: 2,
      payloadType,
      marker,
      sequenceNumber: this.#sequence,
      timestamp: timestamp >>> 0,
      ssrc: this.ssrc,
    });
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.packetsSent++;
    this.firstSentAtMs ??= this.#now();
    this.#sink(header, payload);
  }
}
