// One agent of a contact centre as people are: they answer, ignore, decline, or are gone in the middle of it.
import { setTimeout as delay } from 'node:timers/promises';
import type { CallNotice, EventStream } from '../support/event-stream.ts';
import { ApiError, type RoomlineClient } from '../support/roomline-client.ts';
import type { Outside } from './ack-workers.ts';
import type { Random } from './random.ts';

/** What an agent does with a ring, and how often of a hundred times. */
export const HABITS = { answer: 70, ignore: 12, decline: 10, vanish: 5, 'claim and vanish': 3 };

/** How long people take, in ms. */
const THINKS_MS = 2_000;
const TALKS_MS = 9_000;
const AWAY_MS = 3_000;

export type Figures = {
  /** From a claim to the event that tells it to the others whom the call rang for, in ms. */
  readonly losersToldMs: number[];
  /** Claims that came second. */
  beaten: number;
  did: Record<keyof typeof HABITS, number>;
};

export class RoutingAgent {
  readonly id: string;
  readonly #client: RoomlineClient;
  readonly #outside: Outside;
  readonly #random: Random;
  readonly #figures: Figures;
  /** When who claimed which call, by both: all agents of one process share it. */
  readonly #claimedAtMs: Map<string, number>;
  /** Calls that ring here and were seen to. */
  readonly #seen = new Set<string>();
  #events: EventStream | null = null;
  #isStopped = false;

  constructor(
    { id, client }: { id: string; client: RoomlineClient },
    outside: Outside,
    random: Random,
    figures: Figures,
    claimedAtMs: Map<string, number>,
  ) {
    this.id = id;
    this.#client = client;
    this.#outside = outside;
    this.#random = random;
    this.#figures = figures;
    this.#claimedAtMs = claimedAtMs;
  }

  /** Begins to listen. */
  async start(): Promise<void> {
    const events = await this.#client.events();
    this.#events = events;
    events.onNotice = (notice) => this.#on(notice);
    for (const call of events.hello?.calls ?? []) this.#on({ call });
  }

  stop(): void {
    this.#isStopped = true;
    this.#events?.close();
  }

  #on({ call, ...notice }: Pick<CallNotice, 'call'> & Partial<CallNotice>): void {
    const rings = call.ringing_for?.includes(this.id) === true;
    if (rings && !this.#seen.has(call.id)) {
      this.#seen.add(call.id);
      void this.#react(call.id);
    } else if (!rings && this.#seen.delete(call.id)) {
      const winner = call.claimed_by?.agent_id;
      const claimedAtMs = this.#claimedAtMs.get(`${call.id} ${winner}`);
      if (notice.type === 'claim' && winner !== this.id && claimedAtMs !== undefined)
        this.#figures.losersToldMs.push(performance.now() - claimedAtMs);
    }
  }

  async #react(callId: string): Promise<void> {
    const habit = this.#random.pick(HABITS);
    await delay(this.#random.next() * THINKS_MS);
    if (this.#isStopped) return;
    this.#figures.did[habit] += 1;
    switch (habit) {
      case 'ignore':
        return;
      case 'decline':
        await this.#client.request('POST', `/v1/calls/${callId}/decline`).catch(expected);
        return;
      case 'vanish':
        return this.#vanish();
      case 'answer':
        return this.#take(callId, true);
      case 'claim and vanish':
        return this.#take(callId, false);
    }
  }

  async #vanish(): Promise<void> {
    this.#events?.close();
    await delay(AWAY_MS);
    if (!this.#isStopped) await this.start();
  }

  async #take(callId: string, stays: boolean): Promise<void> {
    this.#claimedAtMs.set(`${callId} ${this.id}`, performance.now());
    try {
      await this.#client.claim(callId);
    } catch (error) {
      expected(error);
      this.#figures.beaten += 1;
      return;
    }
    if (!stays) return this.#vanish();
    this.#outside.tell({ do: 'ready', callId, identity: `agent-${this.id}` });
    await delay(1_000 + this.#random.next() * TALKS_MS);
    await this.#client.end(callId).catch(expected);
  }
}

/** A refusal is an answer; everything else is a fault of what is measured. */
function expected(error: unknown): void {
  if (!(error instanceof ApiError) || error.status >= 500) throw error;
}
