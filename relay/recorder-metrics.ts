// What Prometheus reads of recordings. Everything is asked for when somebody reads, so nothing is counted twice.
import { Counter, Gauge, type Registry } from 'prom-client';
import type { RecordingFigures } from './recordings.ts';

const GAUGES: readonly [name: string, help: string, read: (now: RecordingFigures) => number][] = [
  ['roomline_relay_recordings', 'Calls that are being recorded', ({ active }) => active],
  [
    'roomline_relay_recordings_waiting',
    'Recordings on the disk that the worker does not have yet',
    ({ waiting }) => waiting,
  ],
];

const COUNTERS: typeof GAUGES = [
  [
    'roomline_relay_recorded_bytes_total',
    'Bytes of recordings written to the disk',
    ({ writtenBytes }) => writtenBytes,
  ],
  [
    'roomline_relay_recordings_failed_total',
    'Recordings broken off because the disk failed; the calls went on',
    ({ failed }) => failed,
  ],
  [
    'roomline_relay_recordings_uploaded_total',
    'Recordings that the worker has taken',
    ({ uploaded }) => uploaded,
  ],
  [
    'roomline_relay_recording_upload_failures_total',
    'Uploads that failed and are tried again',
    ({ uploadFailures }) => uploadFailures,
  ],
  [
    'roomline_relay_recordings_refused_total',
    'Recordings deleted here because the worker will never take them',
    ({ refused }) => refused,
  ],
];

/** @param figures what is so at the moment */
export function addRecordingMetrics(registry: Registry, figures: () => RecordingFigures): void {
  for (const [name, help, read] of GAUGES) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect: () => gauge.set(read(figures())),
    });
  }
  for (const [name, help, read] of COUNTERS) {
    const counter: Counter = new Counter({
      name,
      help,
      registers: [registry],
      collect: () => {
        counter.reset();
        counter.inc(read(figures()));
      },
    });
  }
}
