// The recordings of this relay: those that are being made, and those on the disk that the worker does not have yet. One is brought
// at a time, so that media keeps the network; what is not brought when the process ends is brought by the next one.
import type {
  CallRecorder,
  Clock,
  FinishedRecording,
  Log,
  OpenRecorder,
  RecordingFolder,
  UploadRecording,
} from './ports.ts';
import { Recorder } from './recorder.ts';

/** Pause after an upload that failed, in ms; it doubles up to the limit. Each is drawn at random from its second half. */
const RETRY_MS_FIRST = 1_000;
const RETRY_MS_MAX = 300_000;

/**
 * A file of another process that was written to less than this ago, in ms, may be the recording of a call that is still up: a relay
 * that was replaced, say. Two writes are 10 s apart.
 */
export const QUIET_MS = 20_000;

/** No worker takes a recording 7 days after the end of its call (`worker/adapters/recording-store-d1.ts`), in ms. */
export const AGE_MS_MAX = 8 * 24 * 3600_000;

export type RecordingsDeps = {
  readonly folder: RecordingFolder;
  readonly upload: UploadRecording;
  readonly clock: Clock;
  readonly log: Log;
  /** Integer from 0 (inclusive) to `below`, unpredictable. */
  readonly random: (below: number) => number;
};

/** What there is and was of them since the start of the process. */
export type RecordingFigures = {
  /** Being made. */
  readonly active: number;
  /** Finished, and not brought yet. */
  readonly waiting: number;
  readonly writtenBytes: number;
  /** Broken off: the disk failed. */
  readonly failed: number;
  readonly uploaded: number;
  /** Uploads that failed and are tried again. */
  readonly uploadFailures: number;
  /** Deleted here, because no worker will take them. */
  readonly refused: number;
};

type Waiting = {
  /** `undefined`: the file has to be looked at. */
  recording: FinishedRecording | undefined;
  /** It was there before this process. */
  readonly isFound: boolean;
  attempts: number;
  dueAtMs: number;
};

export class Recordings {
  readonly #deps: RecordingsDeps;
  readonly #waiting = new Map<string, Waiting>();
  readonly #counts = { writtenBytes: 0, failed: 0, uploaded: 0, uploadFailures: 0, refused: 0 };
  #active = 0;
  #timer: NodeJS.Timeout | undefined;
  #isBringing = false;
  #isStopped = false;
  #onSettled: () => void = () => undefined;

  constructor(deps: RecordingsDeps) {
    this.#deps = deps;
  }

  get figures(): RecordingFigures {
    return { active: this.#active, waiting: this.#waiting.size, ...this.#counts };
  }

  /** Gives a call its recorder. */
  readonly open: OpenRecorder = (callId, onFailed): CallRecorder =>
    new Recorder(callId, {
      log: this.#deps.log,
      random: this.#deps.random,
      create: this.#deps.folder.create,
      onStarted: () => (this.#active += 1),
      onWritten: (bytes) => (this.#counts.writtenBytes += bytes),
      onFailed,
      onBrokenOff: () => (this.#counts.failed += 1),
      onFinished: (recording) => {
        this.#active -= 1;
        if (recording === 'broken-off') this.#add(callId, undefined);
        else if (recording !== 'nothing') this.#add(callId, recording);
        this.#settle();
      },
    });

  /** Brings what earlier processes have left. */
  async start(): Promise<void> {
    const { folder, log } = this.#deps;
    try {
      const found = await folder.list();
      if (found.length > 0) log.info({ recordings: found.length }, 'recording.found');
      for (const callId of found) this.#add(callId, undefined, true);
    } catch (error) {
      log.error({ err: error }, 'recording.folder-failed');
    }
  }

  /** Resolves when all are finished and brought, or with `enough`; nothing is brought any more then. */
  async settle(enough: Promise<unknown>): Promise<void> {
    const settled = new Promise<void>((resolve) => (this.#onSettled = resolve));
    this.#settle();
    await Promise.race([settled, enough]);
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const left = this.#active + this.#waiting.size;
    if (left > 0) this.#deps.log.warn({ recordings: left }, 'recording.left-for-next-start');
  }

  #settle(): void {
    if (this.#active + this.#waiting.size === 0) this.#onSettled();
  }

  #add(callId: string, recording: FinishedRecording | undefined, isFound = false): void {
    const dueAtMs = this.#deps.clock.nowMs();
    this.#waiting.set(callId, { recording, isFound, attempts: 0, dueAtMs });
    this.#next();
  }

  /** Brings the first that is due, or waits for it. */
  #next(): void {
    if (this.#isBringing || this.#isStopped) return;
    clearTimeout(this.#timer);
    const [first] = [...this.#waiting].sort(([, one], [, other]) => one.dueAtMs - other.dueAtMs);
    if (!first) return;
    const [callId, waiting] = first;
    const delayMs = waiting.dueAtMs - this.#deps.clock.nowMs();
    if (delayMs > 0) {
      this.#timer = setTimeout(() => this.#next(), delayMs);
      return;
    }
    this.#isBringing = true;
    void this.#bring(callId, waiting).then((isOver) => {
      this.#isBringing = false;
      if (isOver) this.#waiting.delete(callId);
      this.#settle();
      this.#next();
    });
  }

  /** @returns whether there is nothing left to do about it */
  async #bring(callId: string, waiting: Waiting): Promise<boolean> {
    const { folder, upload, clock, log } = this.#deps;
    const about = { call_id: callId };
    try {
      const changedAtMs = await folder.changedAtMs(callId);
      // Somebody has deleted it.
      if (changedAtMs === undefined) return true;
      const ageMs = clock.wallMs() - changedAtMs;
      if (waiting.isFound && ageMs < QUIET_MS) {
        waiting.dueAtMs = clock.nowMs() + QUIET_MS - Math.max(0, ageMs);
        return false;
      }
      const recording = (waiting.recording ??= await folder.examine(callId));
      if (!recording) {
        log.warn(about, 'recording.empty');
      } else if (ageMs > AGE_MS_MAX || (await this.#isRefused(callId, recording, upload))) {
        // Where nobody can hear it and no retention reaches it, what was said must not stay.
        this.#counts.refused += 1;
        log.error({ ...about, ...recording }, 'recording.refused');
      } else {
        this.#counts.uploaded += 1;
        log.info({ ...about, ...recording }, 'recording.uploaded');
      }
      await folder.remove(callId);
      return true;
    } catch (error) {
      this.#counts.uploadFailures += 1;
      waiting.recording = undefined;
      waiting.attempts += 1;
      const retryMs = this.#retryMs(waiting.attempts);
      waiting.dueAtMs = clock.nowMs() + retryMs;
      log.warn({ ...about, err: error, retry_ms: retryMs }, 'recording.upload-failed');
      return false;
    }
  }

  async #isRefused(
    callId: string,
    recording: FinishedRecording,
    upload: UploadRecording,
  ): Promise<boolean> {
    return (await upload(callId, recording, this.#deps.folder.read(callId))) === 'refused';
  }

  #retryMs(attempts: number): number {
    const longest = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (attempts - 1));
    return longest / 2 + this.#deps.random(Math.ceil(longest / 2));
  }
}
