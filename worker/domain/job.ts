// Work that a decision leaves to be done outside: calls to the provider and to LiveKit's room service. Jobs are data kept in
// the call's own row, so a decision and the work it causes are stored by one statement. Pure.
import type { Charge } from './call.ts';
import type { SupervisionMode } from './people.ts';
import type { Ai } from './roster.ts';
import type { Step } from './rules.ts';

/** Actions of the provider's calls endpoint. Provider: POST /{phone-number-id}/calls, Calling API reference, read 2026-06. */
export type GraphAction = 'connect' | 'pre_accept' | 'accept' | 'reject' | 'terminate';

/** Jobs hold no credentials and no SDP: both are looked up when the job runs. */
export type Job =
  | { readonly lane: 'graph'; readonly action: GraphAction }
  /** Sends the permission request that an outbound call waits for. */
  | { readonly lane: 'graph'; readonly action: 'ask' }
  | { readonly lane: 'room'; readonly action: 'create' | 'delete' }
  /** Sends an AI agent into the room, unless it was sent already. */
  | { readonly lane: 'room'; readonly action: 'dispatch'; readonly ai: Ai }
  /** Takes an AI agent back: nobody of this name comes any more, and who has come is removed. */
  | { readonly lane: 'room'; readonly action: 'undispatch'; readonly name: string }
  /** Keeps what the call teaches about permissions and costs. */
  | { readonly lane: 'record'; readonly action: 'outcome' }
  /** Done once this participant is in the room and publishes a microphone track; `unavailable` until then. */
  | { readonly lane: 'room'; readonly action: 'await'; readonly identity: string }
  /** Asks LiveKit whether the caller is still in the room; `refused` when not. */
  | { readonly lane: 'room'; readonly action: 'probe' }
  | { readonly lane: 'room'; readonly action: 'remove'; readonly identity: string }
  /** What LiveKit lets a supervisor do follows from their mode. */
  | {
      readonly lane: 'room';
      readonly action: 'permit';
      readonly identity: string;
      readonly mode: SupervisionMode;
    }
  /** Sends the number's fallback text to a caller who could not be served. */
  | { readonly lane: 'message'; readonly action: 'fallback' }
  /** Sends the caller what a step of the rule says. */
  | { readonly lane: 'message'; readonly action: 'send'; readonly content: MessageWording }
  /** Asks an endpoint of the user what to do with the call. */
  | {
      readonly lane: 'endpoint';
      readonly action: 'ask';
      readonly url: string;
      readonly data: Readonly<Record<string, string>>;
    };

/** A WhatsApp message: free text, or a template that the provider has approved. */
export type MessageWording = Extract<Step, { message: unknown }>['message'];

/**
 * What may be done when nobody knows whether a job took effect: `repeat` it, repeat it and take "already done" for success, or
 * `never-repeat` it, because a second phone call or message would be worse than none.
 */
export type JobClass = 'repeat' | 'repeat-treating-already-as-done' | 'never-repeat';

export const classOfJob = (job: Job): JobClass => {
  if (job.lane === 'message' || job.lane === 'endpoint') return 'never-repeat';
  if (job.lane !== 'graph') return 'repeat';
  return job.action === 'connect' || job.action === 'ask'
    ? 'never-repeat'
    : 'repeat-treating-already-as-done';
};

export interface PendingJob {
  /** Counts up per call; the result names it, so the result of an abandoned run is recognised. */
  readonly id: number;
  readonly job: Job;
  /** How often it was started, 0 while it waits for its first run. */
  readonly attempt: number;
  readonly notBeforeMs: number;
  /** No new attempt starts after this. */
  readonly giveUpAtMs: number;
  /** Set while it runs; past this time the run counts as lost without a reply. */
  readonly leaseUntilMs: number | null;
}

/**
 * `refused`: the other side understood and said no; asking again is pointless. `unavailable`: not done, may work later.
 * `unsure`: no reply, or one that does not tell; it may have taken effect.
 */
export type JobFailure = {
  readonly ok: false;
  readonly kind: 'refused' | 'unavailable' | 'unsure';
  readonly message: string;
  readonly status?: number;
  /** The provider's error code. */
  readonly code?: number;
  /** When the provider says that it may be tried again, in epoch ms. */
  readonly retryAtMs?: number;
};
/** `already`: it had been done before this attempt. */
export type JobResult =
  | {
      readonly ok: true;
      readonly already?: boolean;
      /** Of `connect`: the provider's id of the new call. */
      readonly providerCallId?: string;
      /** Of `record.outcome`: what the call cost. */
      readonly charge?: Charge | null;
      /** Of `endpoint.ask`: what to do with the call; absent: nothing in particular. */
      readonly steps?: readonly Step[];
    }
  | JobFailure;

/** Longest wait for one reply, in ms. The answer limit is 26 s, so a hanging attempt must leave room for the next. */
export const JOB_DEADLINE_MS = 5_000;
/** A lease outlives the deadline by the time that delivering and committing a late result may take, in ms. */
export const JOB_LEASE_MS = JOB_DEADLINE_MS + 3_000;

const BACKOFF_FIRST_MS = 300;
const BACKOFF_MAX_MS = 10_000;

/** Wait before the next attempt, in ms, after `attempt` failed ones (1 or more): 300, 600, 1200 ... 10,000. */
export const backoffMs = (attempt: number): number =>
  Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempt - 1));

const lanes = ['graph', 'room', 'record', 'message', 'endpoint'] as const;

/** The next job of each lane; only these may run, so the jobs of a lane keep their order. */
export const laneHeads = (pending: readonly PendingJob[]): PendingJob[] =>
  lanes.flatMap((lane) => pending.find((entry) => entry.job.lane === lane) ?? []);

/**
 * Leases every job that may start now.
 *
 * @returns the queue with the leases, and the jobs that the caller must start once the queue is stored
 */
export function leaseJobs(
  pending: readonly PendingJob[],
  nowMs: number,
): { pending: readonly PendingJob[]; started: PendingJob[] } {
  const started = laneHeads(pending)
    .filter((entry) => entry.leaseUntilMs === null && entry.notBeforeMs <= nowMs)
    .map((entry) => ({ ...entry, attempt: entry.attempt + 1, leaseUntilMs: nowMs + JOB_LEASE_MS }));
  if (started.length === 0) return { pending, started };
  const byId = new Map(started.map((entry) => [entry.id, entry]));
  return { pending: pending.map((entry) => byId.get(entry.id) ?? entry), started };
}

/** When the queue needs attention next, in epoch ms; Infinity when it is empty. */
export const queueDueAtMs = (pending: readonly PendingJob[]): number =>
  Math.min(...laneHeads(pending).map((entry) => entry.leaseUntilMs ?? entry.notBeforeMs), Infinity);

export const withoutJob = (pending: readonly PendingJob[], id: number): PendingJob[] =>
  pending.filter((entry) => entry.id !== id);

/** Puts a failed job back for another attempt; null when its time is over. */
export function retryJob(
  pending: readonly PendingJob[],
  failed: PendingJob,
  nowMs: number,
): PendingJob[] | null {
  const notBeforeMs = nowMs + backoffMs(Math.max(1, failed.attempt));
  if (notBeforeMs > failed.giveUpAtMs) return null;
  return pending.map((entry) =>
    entry.id === failed.id ? { ...entry, notBeforeMs, leaseUntilMs: null } : entry,
  );
}

/** Puts a job that was done back, to be done again at `atMs`. */
export const laterJob = (
  pending: readonly PendingJob[],
  { id }: PendingJob,
  atMs: number,
): PendingJob[] =>
  pending.map((entry) =>
    entry.id === id ? { ...entry, attempt: 0, notBeforeMs: atMs, leaseUntilMs: null } : entry,
  );

/** Cancels the provider actions that have not been started; one that runs stays, since its reply is still to come. */
export const withoutQueuedGraph = (pending: readonly PendingJob[]): PendingJob[] =>
  pending.filter((entry) => entry.job.lane !== 'graph' || entry.leaseUntilMs !== null);
