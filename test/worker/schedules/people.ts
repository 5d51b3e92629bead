// Agents as an independent model: they claim, and believe what they are told; whoever was given a seat comes into the room, or
// does not.
import type { Faults } from './faults.ts';
import type { AgentPlan } from './plan.ts';
import type { Member, Rooms } from './rooms.ts';
import type { Simulation } from './simulation.ts';

/** What the API says to a claim. */
export interface ClaimReply {
  readonly state: string;
  readonly claimedBy: string | null;
}

/** What an agent was told, for the judge. */
export interface ClaimAnswer {
  readonly callId: string;
  readonly agentId: string;
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  /** Null when the request failed. */
  readonly reply: ClaimReply | null;
}

export interface PeopleDeps {
  readonly sim: Simulation;
  readonly faults: Faults;
  readonly rooms: Rooms;
  /** The call has ended, and everybody has been told. */
  readonly isOver: (callId: string) => boolean;
  /** Asks for the call; throws for an answer of 5xx. */
  readonly claim: (callId: string, agentId: string) => Promise<ClaimReply>;
}

const RETRY_MS = 1_000;
const ATTEMPTS_MAX = 3;
/** A client comes back by itself after its server restarted. */
const RECONNECT_MS = 1_500;

export class People {
  readonly answers: ClaimAnswer[] = [];
  readonly #deps: PeopleDeps;
  readonly #claimedAtMs = new Map<string, number>();

  constructor(deps: PeopleDeps) {
    this.#deps = deps;
  }

  async claim(callId: string, agentId: string, plan: AgentPlan): Promise<void> {
    const { sim, faults } = this.#deps;
    if (this.#claimedAtMs.get(callId) === sim.nowMs) faults.note('claims-at-once');
    this.#claimedAtMs.set(callId, sim.nowMs);
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const askedAtMs = sim.nowMs;
      const reply = await this.#deps.claim(callId, agentId).catch(() => null);
      this.answers.push({ callId, agentId, askedAtMs, answeredAtMs: sim.nowMs, reply });
      if (reply?.claimedBy === agentId) return this.sit(callId, agentId, plan);
      if (reply) return;
      await sim.sleep(RETRY_MS);
    }
  }

  /** Somebody who was given a seat. */
  sit(callId: string, agentId: string, plan: AgentPlan): void {
    const { sim, rooms } = this.#deps;
    if (plan.joinsAfterMs === null) return;
    const room = `call-${callId}`;
    let isWanted = true;
    const member: Member = {
      identity: `agent-${agentId}`,
      hasMicrophone: false,
      onOut: (why) => {
        isWanted &&= why === 'server-restarted';
        if (isWanted) sim.after(RECONNECT_MS, () => this.#deps.isOver(callId) || enter());
      },
    };
    const enter = (): void => {
      if (!isWanted) return;
      member.hasMicrophone = false;
      rooms.join(room, member);
      sim.after(200, () => rooms.publish(room, member));
    };
    sim.after(plan.joinsAfterMs, enter);
    if (plan.leavesAfterMs === null) return;
    sim.after(plan.joinsAfterMs + plan.leavesAfterMs, () => {
      if (!isWanted) return;
      isWanted = false;
      rooms.leave(room, member, plan.leaves);
      if (plan.returnsAfterMs === null) return;
      sim.after(plan.returnsAfterMs, () => {
        isWanted = !this.#deps.isOver(callId);
        enter();
      });
    });
  }

  /** An AI agent that LiveKit was told to send. */
  dispatch(callId: string, afterMs: number): void {
    const { sim, rooms } = this.#deps;
    const room = `call-${callId}`;
    const member: Member = {
      identity: `ai-${callId}`,
      hasMicrophone: false,
      onOut: () => undefined,
    };
    sim.after(afterMs, () => {
      // A dispatch dies with its room.
      if (!rooms.names().includes(room)) return;
      rooms.join(room, member);
      sim.after(100, () => rooms.publish(room, member));
    });
  }
}
