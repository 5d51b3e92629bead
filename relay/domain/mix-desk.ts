// All calls of one mixing thread: a batch of records goes in, the batch that answers it comes out. It knows the time only from
// the batches.
import type { Codec } from './codec.ts';
import { BatchReader, BatchWriter, type ToThread } from './mix-batch.ts';
import { MixCall } from './mix-call.ts';

type Entry = { readonly mix: MixCall; epoch: number };

export class MixDesk {
  readonly #codec: Codec;
  readonly #calls = new Map<number, Entry>();
  readonly #answer = new BatchWriter();

  constructor(codec: Codec) {
    this.#codec = codec;
  }

  /** Carries out the records of a batch, does what is due by its time, and answers. */
  work(batch: ArrayBuffer): ArrayBuffer {
    const reader = new BatchReader(batch);
    const { number, nowMs } = reader;
    for (const record of reader.toThread()) this.#carryOut(record, nowMs);
    for (const { mix } of this.#calls.values()) mix.tick(nowMs);
    return this.#answer.take(number, nowMs);
  }

  #carryOut(record: ToThread, nowMs: number): void {
    if (record.type === 'close') {
      this.#calls.get(record.call)?.mix.free();
      this.#calls.delete(record.call);
      return;
    }
    const entry = this.#calls.get(record.call) ?? this.#open(record.call);
    switch (record.type) {
      case 'packet':
        entry.mix.push(record.source, record.packet);
        return;
      case 'drop':
        entry.epoch = record.epoch;
        entry.mix.drop(record.source);
        return;
      case 'start':
        entry.mix.start(record.leader, record.sequence, record.atMs, nowMs);
        return;
      case 'stop':
        entry.mix.stop(record.source);
        return;
    }
  }

  #open(call: number): Entry {
    const answer = this.#answer;
    const entry: Entry = {
      epoch: 0,
      mix: new MixCall(this.#codec, {
        onPacket: (bytes) => answer.fromThread({ type: 'packet', call, epoch: entry.epoch, bytes }),
        onLevel: (source, dbfs) => answer.fromThread({ type: 'level', call, source, dbfs }),
        onStopped: (source, sequence) =>
          answer.fromThread({ type: 'stopped', call, source, sequence }),
      }),
    };
    this.#calls.set(call, entry);
    return entry;
  }
}
