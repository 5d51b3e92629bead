// Who answers calls, and who of them could take one now. Pure.
import type { AgentId } from './ids.ts';

/** What a person may do; each may do what those before it may. */
export const ROLES = ['agent', 'supervisor', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** What agents say of themselves. */
export const DUTIES = ['available', 'away'] as const;
export type Duty = (typeof DUTIES)[number];

/** An AI agent as LiveKit dispatches it; what `metadata` means is between its builder and whoever wrote the rule. */
export interface Ai {
  readonly name: string;
  readonly metadata: string;
}

/** An agent as calls are routed to them. */
export interface Member {
  readonly id: AgentId;
  readonly name: string;
  /** Ids of teams. */
  readonly teams: readonly string[];
  readonly skills: readonly string[];
  /** How many calls they have at once, 1 or more. */
  readonly capacity: number;
  /** Null for a person. */
  readonly ai: Ai | null;
  readonly duty: Duty;
  /** A person's client listens to events; an AI agent is always there. */
  readonly isConnected: boolean;
  /** Until when they finish the work of their last call, in epoch ms; 0 when they have none. */
  readonly restsUntilMs: number;
  /** Since when they have had no call, in epoch ms. */
  readonly idleSinceMs: number;
  /** When they were last rung, in epoch ms; 0 for never. */
  readonly rungAtMs: number;
}

/** What others are told of a member. */
export const PRESENCES = ['available', 'busy', 'away', 'wrap-up', 'offline'] as const;
export type Presence = (typeof PRESENCES)[number];

/** @param calls how many calls the member has or is rung for */
export function presenceOf(member: Member, calls: number, nowMs: number): Presence {
  if (!member.isConnected) return 'offline';
  if (member.duty === 'away') return 'away';
  if (calls >= member.capacity) return 'busy';
  return member.restsUntilMs > nowMs ? 'wrap-up' : 'available';
}
