// Says what is wrong with a schedule. It compares what the provider, the relays, LiveKit and the people of the schedule know with
// what the record says, and shares no rule with the worker.
import type { Commit } from './record.ts';
import type { Simulation } from './simulation.ts';
import { wronglyHeard } from './parties.ts';
import { wrongSound } from './sound.ts';

export interface Violation {
  /** A stable name, to be counted. */
  readonly kind: string;
  readonly callId: string;
  /** Simulated time since the start of the schedule, in ms. */
  readonly atMs: number;
  readonly detail: string;
}

export class Judge {
  readonly violations: Violation[] = [];
  readonly #sim: Simulation;
  readonly #startMs: number;

  constructor(sim: Simulation) {
    this.#sim = sim;
    this.#startMs = sim.nowMs;
  }

  readonly violated = (kind: string, callId: string, detail: string): void => {
    const isKnown = this.violations.some((known) => known.kind === kind && known.callId === callId);
    if (isKnown) return;
    this.violations.push({ kind, callId, detail, atMs: this.#sim.nowMs - this.#startMs });
  };

  /** Nobody is rung who has another call, or rings for another. */
  rung({ call, entry }: Commit, all: ReadonlyMap<string, readonly Commit[]>): void {
    const last = all.get(call.id)?.at(-2)?.call;
    const before = last ? ringsOf(last) : [];
    for (const agentId of ringsOf(call)) {
      if (before.includes(agentId)) continue;
      const rival = [...all.values()]
        .map((commits) => commits.at(-1)?.call)
        .find((other) => other && other.id !== call.id && hasAgent(other, agentId));
      if (rival) this.violated('rung-twice', call.id, `${agentId} by ${entry.type}, ${rival.id}`);
    }
  }

  /** Every committed version is looked at. */
  committed({ call, entry }: Commit, before: readonly Commit[]): void {
    const { id } = call;
    const last = before.at(-1)?.call;
    if (call.version !== before.length + 1) {
      this.violated('hole-in-history', id, `version ${call.version} after ${before.length}`);
    }
    if (!last) return;
    if (last.outcome && JSON.stringify(last.outcome) !== JSON.stringify(call.outcome)) {
      const now = call.outcome?.reason ?? 'none';
      this.violated('outcome-changed', id, `${last.outcome.reason} became ${now} by ${entry.type}`);
    }
    if (last.state === 'ended' && call.state !== 'ended') {
      this.violated('came-back-to-life', id, `${call.state} by ${entry.type}`);
    }
    const isTakenOver = last.claim && call.claim && last.claim.agentId !== call.claim.agentId;
    if (isTakenOver && !PASSES.has(entry.type)) {
      this.violated(
        'claim-taken-over',
        id,
        `${last.claim?.agentId} lost it to ${call.claim?.agentId}`,
      );
    }
    const heard = wronglyHeard(call);
    if (heard !== null) this.violated('heard-wrongly', id, `${heard}, after ${entry.type}`);
    const wrong = wrongSound({ call, entry }, last);
    if (wrong !== null) this.violated('sound-made-up', id, wrong);
    if (last.providerCallId !== null && call.providerCallId !== last.providerCallId) {
      this.violated('renamed', id, `${last.providerCallId} became ${call.providerCallId}`);
    }
  }
}

/** Whoever has a call may leave it to somebody else who is in it. */
const PASSES: ReadonlySet<string> = new Set(['consultation-completed', 'passed-on']);

const ringsOf = ({ flow, people, outcome }: Commit['call']): string[] => {
  const stage = outcome ? null : (flow?.stage ?? null);
  const search = stage?.kind === 'ring' || stage?.kind === 'queue' ? stage.search : null;
  const rung = [...(search?.rung ?? []), ...(people.asked?.search.rung ?? [])];
  return outcome ? [] : rung.map(({ agentId }) => agentId);
};

const hasAgent = (call: Commit['call'], agentId: string): boolean =>
  !call.outcome && (call.claim?.agentId === agentId || ringsOf(call).includes(agentId));
