// What goes to a mixing thread and back: one batch of records each way per tick, as bytes, because a message costs more than
// what is in it. Both ends are the same program, so nothing is checked.
import type { Arrival } from './jitter-buffer.ts';

/** A record to a thread. A call exists there from its first record on. */
export type ToThread =
  | {
      readonly type: 'packet';
      readonly call: number;
      readonly source: number;
      readonly packet: Arrival;
    }
  /** Nothing of the source is heard any more. What is sent back after this carries the `epoch`. */
  | {
      readonly type: 'drop';
      readonly call: number;
      readonly source: number;
      readonly epoch: number;
    }
  /** `leader`: the source that has passed until now, with its last packet; the first packet of the mix is due at `atMs`. */
  | {
      readonly type: 'start';
      readonly call: number;
      readonly leader: number | undefined;
      readonly sequence: number;
      readonly atMs: number;
    }
  | { readonly type: 'stop'; readonly call: number; readonly source: number }
  | { readonly type: 'close'; readonly call: number };

/** A record of a thread. */
export type FromThread =
  | {
      readonly type: 'packet';
      readonly call: number;
      readonly epoch: number;
      readonly bytes: Uint8Array;
    }
  | {
      readonly type: 'level';
      readonly call: number;
      readonly source: number;
      readonly dbfs: number;
    }
  | {
      readonly type: 'stopped';
      readonly call: number;
      readonly source: number;
      readonly sequence: number | undefined;
    };

const TO_THREAD = ['packet', 'drop', 'start', 'stop', 'close'] as const;
const FROM_THREAD = ['packet', 'level', 'stopped'] as const;

/** Stands for no source and no sequence number. */
const NONE = 0xffff_ffff;

/** The head of a batch: its number, which the answer repeats, and the time. */
const HEAD_BYTES = 12;

/** Room that a batch starts with; a call's records of one tick take about 200 bytes. */
const BYTES_MIN = 4_096;

/** No record is longer than this without its packet. */
const RECORD_BYTES_MAX = 64;

/** Writes one batch after the other. */
export class BatchWriter {
  #view = new DataView(new ArrayBuffer(BYTES_MIN));
  #at = HEAD_BYTES;

  get isEmpty(): boolean {
    return this.#at === HEAD_BYTES;
  }

  /** Takes what was written, as a buffer of its own, and begins the next batch. @param number 32 bits */
  take(number: number, nowMs: number): ArrayBuffer {
    this.#view.setUint32(0, number);
    this.#view.setFloat64(4, nowMs);
    const taken = this.#view.buffer.slice(0, this.#at);
    this.#at = HEAD_BYTES;
    return taken;
  }

  toThread(record: ToThread): void {
    this.#reserve(record.type === 'packet' ? record.packet.bytes.length : 0);
    this.#uint8(TO_THREAD.indexOf(record.type));
    this.#uint32(record.call);
    switch (record.type) {
      case 'packet':
        this.#uint32(record.source);
        this.#uint16(record.packet.sequence);
        this.#uint32(record.packet.timestamp);
        this.#uint16(record.packet.ticks);
        this.#float64(record.packet.atMs);
        this.#bytes(record.packet.bytes);
        return;
      case 'drop':
        this.#uint32(record.source);
        this.#uint16(record.epoch);
        return;
      case 'start':
        this.#uint32(record.leader ?? NONE);
        this.#uint16(record.sequence);
        this.#float64(record.atMs);
        return;
      case 'stop':
        this.#uint32(record.source);
        return;
      case 'close':
        return;
    }
  }

  fromThread(record: FromThread): void {
    this.#reserve(record.type === 'packet' ? record.bytes.length : 0);
    this.#uint8(FROM_THREAD.indexOf(record.type));
    this.#uint32(record.call);
    switch (record.type) {
      case 'packet':
        this.#uint16(record.epoch);
        this.#bytes(record.bytes);
        return;
      case 'level':
        this.#uint32(record.source);
        this.#float64(record.dbfs);
        return;
      case 'stopped':
        this.#uint32(record.source);
        this.#uint32(record.sequence ?? NONE);
        return;
    }
  }

  #reserve(packetBytes: number): void {
    const needed = this.#at + RECORD_BYTES_MAX + packetBytes;
    if (needed <= this.#view.byteLength) return;
    const grown = new ArrayBuffer(Math.max(needed, 2 * this.#view.byteLength));
    new Uint8Array(grown).set(new Uint8Array(this.#view.buffer, 0, this.#at));
    this.#view = new DataView(grown);
  }

  #uint8(value: number): void {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
  }

  #uint16(value: number): void {
    this.#view.setUint16(this.#at, value);
    this.#at += 2;
  }

  #uint32(value: number): void {
    this.#view.setUint32(this.#at, value);
    this.#at += 4;
  }

  #float64(value: number): void {
    this.#view.setFloat64(this.#at, value);
    this.#at += 8;
  }

  #bytes(bytes: Uint8Array): void {
    this.#uint16(bytes.length);
    new Uint8Array(this.#view.buffer).set(bytes, this.#at);
    this.#at += bytes.length;
  }
}

/** Reads one batch: its records, once, in the order in which they were written. */
export class BatchReader {
  readonly number: number;
  readonly nowMs: number;
  readonly #view: DataView;
  #at = HEAD_BYTES;

  constructor(batch: ArrayBuffer) {
    this.#view = new DataView(batch);
    this.number = this.#view.getUint32(0);
    this.nowMs = this.#view.getFloat64(4);
  }

  *toThread(): Generator<ToThread> {
    while (this.#at < this.#view.byteLength) {
      const type = TO_THREAD[this.#uint8()] ?? 'close';
      const call = this.#uint32();
      switch (type) {
        case 'packet': {
          const source = this.#uint32();
          const sequence = this.#uint16();
          const timestamp = this.#uint32();
          const ticks = this.#uint16();
          const atMs = this.#float64();
          const packet = { sequence, timestamp, ticks, atMs, bytes: this.#bytes() };
          yield { type, call, source, packet };
          break;
        }
        case 'drop':
          yield { type, call, source: this.#uint32(), epoch: this.#uint16() };
          break;
        case 'start': {
          const leader = this.#optional();
          yield { type, call, leader, sequence: this.#uint16(), atMs: this.#float64() };
          break;
        }
        case 'stop':
          yield { type, call, source: this.#uint32() };
          break;
        case 'close':
          yield { type, call };
      }
    }
  }

  *fromThread(): Generator<FromThread> {
    while (this.#at < this.#view.byteLength) {
      const type = FROM_THREAD[this.#uint8()] ?? 'level';
      const call = this.#uint32();
      switch (type) {
        case 'packet': {
          const epoch = this.#uint16();
          yield { type, call, epoch, bytes: this.#bytes() };
          break;
        }
        case 'level':
          yield { type, call, source: this.#uint32(), dbfs: this.#float64() };
          break;
        case 'stopped':
          yield { type, call, source: this.#uint32(), sequence: this.#optional() };
      }
    }
  }

  #uint8(): number {
    this.#at += 1;
    return this.#view.getUint8(this.#at - 1);
  }

  #uint16(): number {
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  #uint32(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  #optional(): number | undefined {
    const value = this.#uint32();
    return value === NONE ? undefined : value;
  }

  #float64(): number {
    this.#at += 8;
    return this.#view.getFloat64(this.#at - 8);
  }

  /** Bytes of their own: the batch may go while they are kept. */
  #bytes(): Uint8Array {
    const length = this.#uint16();
    this.#at += length;
    return new Uint8Array(this.#view.buffer.slice(this.#at - length, this.#at));
  }
}
