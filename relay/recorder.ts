// The recording of one call on its way to the disk: a write every 10 s, off the packets' path, in bounded memory. Whatever goes
// wrong with it, the call goes on.
import { createHash } from 'node:crypto';
import { FRAME_TICKS } from './domain/opus.ts';
import { durationMs } from './domain/recording-scan.ts';
import { Recording } from './domain/recording.ts';
import type { CallRecorder, FinishedRecording, Log, RecordingFile } from './ports.ts';

/** Pages of a second from one write to the next: so much, and the second that packets are waited for, is lost with the process. */
const SEGMENT_PAGES = 10;

/** A segment is written at once when it is as long as this: ten seconds of two voices have 50 to 150 kB. */
const SEGMENT_BYTES_MAX = 512 * 1024;

/** First guess of a segment's size. */
const SEGMENT_BYTES = 64 * 1024;

/** A disk that is this much behind does not come back in time: five minutes of a call. */
const UNWRITTEN_BYTES_MAX = 4 * 1024 * 1024;

export type RecorderDeps = {
  readonly log: Log;
  /** Integer from 0 (inclusive) to `below`, unpredictable. */
  readonly random: (below: number) => number;
  readonly create: (callId: string) => Promise<RecordingFile>;
  /** Recording begins; `onFinished` follows. */
  readonly onStarted: () => void;
  /** So many bytes are on the disk. */
  readonly onWritten: (bytes: number) => void;
  /** The call goes on without being recorded any further; `onFinished` follows when it is over. */
  readonly onBrokenOff: () => void;
  /** The same, while the call is up; said again whenever recording is wanted anew. */
  readonly onFailed: () => void;
  /** Nothing is written any more. `nothing`: there is no file. `broken-off`: what is on the disk has to be looked at. */
  readonly onFinished: (recording: FinishedRecording | 'nothing' | 'broken-off') => void;
};

export class Recorder implements CallRecorder {
  readonly #callId: string;
  readonly #deps: RecorderDeps;
  readonly #hash = createHash('sha256');
  #wanted: 'off' | 'on' | 'paused' = 'off';
  #isOpen = false;
  #recording: Recording | undefined;
  #segment = new Uint8Array(0);
  #filled = 0;
  #pagesHere = 0;
  #pages = 0;
  #bytes = 0;
  #file: Promise<RecordingFile> | undefined;
  /** The last write, and all before it. */
  #written = Promise.resolve();
  #unwrittenBytes = 0;
  #isStarted = false;
  #hasFile = false;
  #isFailed = false;
  #isClosed = false;

  constructor(callId: string, deps: RecorderDeps) {
    this.#callId = callId;
    this.#deps = deps;
  }

  want(state: 'off' | 'on' | 'paused', nowMs: number): void {
    if (state === 'on' && this.#wanted !== 'on' && this.#isFailed) this.#deps.onFailed();
    this.#wanted = state;
    if (state === 'on' && !this.#isStarted && !this.#isClosed) this.#start(nowMs);
    if (this.#isStarted) this.#recording?.want(state, nowMs);
  }

  open(nowMs: number): void {
    this.#isOpen = true;
    // Kept in case that the opening is recorded.
    if (!this.#isStarted) this.#recording = undefined;
    this.#recording?.open(nowMs);
  }

  heard(bytes: Uint8Array, start: number, end: number, timestamp: number, nowMs: number): void {
    if (!this.#isOpen && !this.#isClosed) this.#recording ??= this.#newRecording();
    this.#recording?.heard(bytes, start, end, timestamp, nowMs);
  }

  readonly sent: CallRecorder['sent'] = (bytes, start, end, timestamp, dueMs, nowMs) =>
    this.#recording?.sent(bytes, start, end, timestamp, dueMs, nowMs);

  tick(nowMs: number): void {
    this.#recording?.tick(nowMs);
  }

  close(nowMs: number): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const recording = this.#recording;
    this.#recording = undefined;
    if (recording?.close(nowMs)) this.#handOver();
    if (!this.#isStarted) return;
    const { packets = 0, leftOut } = recording ?? {};
    this.#deps.log.info({ call_id: this.#callId, packets, ...leftOut }, 'recording.finished');
    void this.#finish(packets);
  }

  #start(nowMs: number): void {
    this.#isStarted = true;
    this.#recording ??= this.#newRecording();
    if (this.#isOpen) this.#recording.open(nowMs);
    this.#segment = new Uint8Array(SEGMENT_BYTES);
    this.#deps.log.info({ call_id: this.#callId }, 'recording.started');
    this.#deps.onStarted();
  }

  #newRecording(): Recording {
    return new Recording(this.#deps.random(0x1_0000_0000), this.#take);
  }

  readonly #take = (page: Uint8Array, bodyAt: number): void => {
    if (this.#filled + page.length > this.#segment.length) this.#grow(page.length);
    this.#segment.set(page, this.#filled);
    this.#filled += page.length;
    this.#pages += 1;
    this.#pagesHere += 1;
    // The headers are no audio.
    if (this.#pages > 2) this.#hash.update(page.subarray(bodyAt));
    if (this.#pagesHere >= SEGMENT_PAGES || this.#filled >= SEGMENT_BYTES_MAX) this.#handOver();
  };

  #grow(bytes: number): void {
    const grown = new Uint8Array(2 * (this.#filled + bytes));
    grown.set(this.#segment.subarray(0, this.#filled));
    this.#segment = grown;
  }

  /** Gives what is in the segment to the disk, which writes it when it can. */
  #handOver(): void {
    const segment = this.#segment.subarray(0, this.#filled);
    this.#segment = new Uint8Array(Math.max(SEGMENT_BYTES, this.#segment.length));
    this.#filled = this.#pagesHere = 0;
    this.#unwrittenBytes += segment.length;
    if (this.#unwrittenBytes > UNWRITTEN_BYTES_MAX) {
      this.#fail(new Error('the disk is too slow'));
      return;
    }
    const file = (this.#file ??= this.#deps.create(this.#callId));
    this.#written = this.#written.then(() => this.#write(file, segment));
  }

  async #write(file: Promise<RecordingFile>, segment: Uint8Array): Promise<void> {
    if (this.#isFailed) return;
    try {
      const opened = await file;
      this.#hasFile = true;
      await opened.append(segment);
      this.#bytes += segment.length;
      this.#unwrittenBytes -= segment.length;
      this.#deps.onWritten(segment.length);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#isFailed) return;
    this.#isFailed = true;
    this.#recording = undefined;
    this.#deps.log.error({ err: error, call_id: this.#callId }, 'recording.failed');
    this.#deps.onBrokenOff();
    if (!this.#isClosed) this.#deps.onFailed();
  }

  async #finish(packets: number): Promise<void> {
    await this.#written;
    try {
      if (this.#hasFile) await (await this.#file)?.close();
    } catch (error) {
      this.#fail(error);
    }
    if (!this.#hasFile) this.#deps.onFinished('nothing');
    else if (this.#isFailed) this.#deps.onFinished('broken-off');
    else {
      this.#deps.onFinished({
        bytes: this.#bytes,
        durationMs: durationMs(packets * FRAME_TICKS),
        sha256: this.#hash.digest('hex'),
      });
    }
  }
}
