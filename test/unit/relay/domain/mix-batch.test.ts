import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  BatchReader,
  BatchWriter,
  type FromThread,
  type ToThread,
} from '../../../../relay/domain/mix-batch.ts';

const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffff_fffe });
const time = fc.double({ min: 0, max: 1e12, noNaN: true });
const bytes = fc.uint8Array({ minLength: 1, maxLength: 1_500 }).map((list) => new Uint8Array(list));
const optional = fc.option(uint16, { nil: undefined });

const toThread: fc.Arbitrary<ToThread> = fc.oneof(
  fc.record({
    type: fc.constant('packet' as const),
    call: uint32,
    source: uint32,
    packet: fc.record({ sequence: uint16, timestamp: uint32, ticks: uint16, atMs: time, bytes }),
  }),
  fc.record({ type: fc.constant('drop' as const), call: uint32, source: uint32, epoch: uint16 }),
  fc.record({
    type: fc.constant('start' as const),
    call: uint32,
    leader: optional,
    sequence: uint16,
    atMs: time,
  }),
  fc.record({ type: fc.constant('stop' as const), call: uint32, source: uint32 }),
  fc.record({ type: fc.constant('close' as const), call: uint32 }),
);

const fromThread: fc.Arbitrary<FromThread> = fc.oneof(
  fc.record({
    type: fc.constant('packet' as const),
    call: uint32,
    epoch: uint16,
    bytes,
  }),
  fc.record({
    type: fc.constant('level' as const),
    call: uint32,
    source: uint32,
    dbfs: fc.double({ min: -100, max: 0, noNaN: true }),
  }),
  fc.record({
    type: fc.constant('stopped' as const),
    call: uint32,
    source: uint32,
    sequence: optional,
  }),
);

it('brings every record back as it was, in its order, batch after batch', () => {
  const writer = new BatchWriter();
  let number = 0;
  fc.assert(
    fc.property(fc.array(toThread, { maxLength: 60 }), time, (records, nowMs) => {
      number += 1;
      for (const record of records) writer.toThread(record);
      expect(writer.isEmpty).toBe(records.length === 0);
      const reader = new BatchReader(writer.take(number, nowMs));
      expect({ number: reader.number, nowMs: reader.nowMs }).toEqual({ number, nowMs });
      expect([...reader.toThread()]).toEqual(records);
      expect(writer.isEmpty).toBe(true);
    }),
    { numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.array(fromThread, { maxLength: 60 }), (records) => {
      for (const record of records) writer.fromThread(record);
      expect([...new BatchReader(writer.take(1, 0)).fromThread()]).toEqual(records);
    }),
    { numRuns: 200 },
  );
});
