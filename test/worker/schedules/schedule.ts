// Plays one schedule: starts its calls, lets people act, makes trouble; then heals the world, lets the clock run on, and asks the
// judge.
import type { AudioCommand } from '../../../worker/domain/call-event.ts';
import type { CallId } from '../../../worker/domain/ids.ts';
import { contactOf, deliveryOf, NUMBER_ID } from './deliveries.ts';
import type { Violation } from './judge.ts';
import { finalJudgement, watch } from './judgement.ts';
import type { MetaCall } from './meta.ts';
import { act } from './parties.ts';
import type { ClaimReply } from './people.ts';
import type { InboundPlan, OutboundPlan, Plan } from './plan.ts';
import { ADMIN, agentIdOf, answered, calleeOf, claimOf, dialOf } from './requests.ts';
import { makeTrouble } from './trouble.ts';
import { START_MS, World, type WorldOptions } from './world.ts';

/** Relays connect before the first call. */
const WARM_UP_MS = 1_000;
const HEAL_AFTER_MS = 90_000;
/** How long after the healing a call may go on that nobody wants to end. */
const FAREWELL_AFTER_MS = 30_000;
/** Somebody looks at the relays some time after everything, as somebody always does. */
const LOOK_AFTER_MS = 120_000;
const RUN_ON_MS = 15 * 60_000;

/** A call that a plan started, and what was said to whoever asked for it. */
export interface StartedCall {
  readonly plan: InboundPlan | OutboundPlan;
  readonly callId: string;
  /** Outbound: the API has answered that the call exists. */
  isPromised: boolean;
}

export interface Played {
  readonly violations: readonly Violation[];
  readonly happened: ReadonlyMap<string, number>;
  readonly commits: number;
  readonly calls: number;
  /** Longest time that a connected caller heard nobody while nothing was wrong any more, in ms. */
  readonly aloneMs: number;
  /** One line a commit, to see that a schedule repeats and to read what happened. */
  readonly transcript: readonly string[];
}

export function play(plan: Plan, options: WorldOptions): Promise<Played> {
  return new Schedule(plan, options).run();
}

export class Schedule {
  readonly world: World;
  readonly started: StartedCall[] = [];
  aloneMs = 0;
  readonly #plan: Plan;
  #isHealed = false;
  #outboundCount = 0;

  constructor(plan: Plan, options: WorldOptions) {
    this.#plan = plan;
    this.world = new World(plan, options, {
      tell: (call, news) => this.#tell(call, news),
      watch: (call) => watch(this, call),
      claim: (callId, agentId) => this.#claim(callId, agentId),
      asked: (callId) => this.#asked(callId),
    });
  }

  async run(): Promise<Played> {
    const { world } = this;
    const { sim } = world;
    for (const relay of world.relays) relay.start();
    await sim.runUntil(START_MS + WARM_UP_MS);
    this.#plan.calls.forEach((call) => sim.after(call.atMs, () => this.#start(call)));
    for (const trouble of this.#plan.troubles) {
      const callIds = (): string[] => this.started.map(({ callId }) => callId);
      sim.after(trouble.atMs, () => makeTrouble(world, callIds(), trouble));
    }
    await sim.runUntil(START_MS + WARM_UP_MS + HEAL_AFTER_MS);
    this.#heal();
    sim.after(FAREWELL_AFTER_MS, () => this.#farewell());
    sim.after(LOOK_AFTER_MS, () => world.lookAgain());
    await sim.runUntil(sim.nowMs + RUN_ON_MS);
    await finalJudgement(this);
    for (const mistake of sim.mistakes) {
      const text = mistake instanceof Error ? (mistake.stack ?? mistake.message) : String(mistake);
      world.judge.violated('mistake-of-the-test', '', text);
    }
    const commits = [...world.record.commits.values()].flat();
    return {
      violations: world.judge.violations,
      happened: world.faults.happened,
      commits: commits.length,
      calls: this.started.length,
      aloneMs: this.aloneMs,
      transcript: commits
        .toSorted((a, b) => a.cursor - b.cursor)
        .map(({ atMs, writer, call, entry }) => {
          const detail = entry.detail ? ` ${JSON.stringify(entry.detail)}` : '';
          return `${atMs - START_MS} ${call.id} v${call.version} by ${writer}: ${entry.type} -> ${call.state}${detail}`;
        }),
    };
  }

  // ---- calls -----------------------------------------------------------------------------------------------------------------

  #user(plan: { user: number }): string {
    // Digits as of a phone, different for every schedule that shares the database.
    const digits = this.world.options.prefix.replaceAll(/\D/g, '');
    return `9${digits.slice(-12)}${plan.user}`;
  }

  #start(plan: InboundPlan | OutboundPlan): void {
    if (plan.kind === 'outbound') {
      void this.#request(plan, this.#newOutboundId());
      return;
    }
    const user = this.#user(plan);
    const isBusy = [...this.world.meta.calls.values()].some(
      (call) => call.user === user && call.phase !== 'over',
    );
    if (isBusy) return;
    const { callId } = this.world.meta.ring(user, plan.ringLimitMs, (call) => {
      this.started.push({ plan, callId: call.callId, isPromised: false });
    });
    this.#follow(plan, callId);
  }

  #newOutboundId(): string {
    return `${this.world.options.prefix}o${++this.#outboundCount}`;
  }

  /** `POST /v1/calls`. */
  async #request(plan: OutboundPlan, callId: string): Promise<void> {
    const { world } = this;
    const user = this.#user(plan);
    const started: StartedCall = { plan, callId, isPromised: false };
    this.started.push(started);
    world.phones.set(callId, { user, plan });
    this.#follow(plan, callId);
    const { again } = plan;
    if (again) {
      if (again.afterMs === 0) world.faults.note('dials-at-once');
      const next = { ...plan, again: null };
      world.sim.after(again.afterMs, () => {
        if (again.isSame) void this.#ask(plan, started, user);
        else void this.#request(next, this.#newOutboundId());
      });
    }
    await this.#ask(plan, started, user);
  }

  async #ask(plan: OutboundPlan, started: StartedCall, user: string): Promise<void> {
    const { world } = this;
    const { callId } = started;
    const dial = dialOf(plan, callId, user, world.sim.nowMs);
    const call = await answered(world.sim, world.anyBoard().dial(dial, contactOf(user))).catch(
      () => null,
    );
    if (!call || started.isPromised) return;
    started.isPromised = true;
    const agent = calleeOf(plan);
    if (plan.target === 'agent-there') world.people.sit(callId, agentIdOf(agent), agent);
  }

  /** What people do about a call. */
  #follow(plan: InboundPlan | OutboundPlan, callId: string): void {
    const { sim, people, meta, faults } = this.world;
    const isClaimed = plan.kind === 'inbound' || plan.target === 'agent';
    for (const agent of isClaimed ? plan.agents : []) {
      sim.after(agent.claimsAfterMs, () =>
        agent.declines
          ? this.#decline(callId, agentIdOf(agent))
          : people.claim(callId, agentIdOf(agent), agent),
      );
    }
    for (const { afterMs, command } of plan.steers) {
      sim.after(afterMs, () => void this.#steer(callId, command));
    }
    for (const { afterMs, digit } of plan.keys) {
      sim.after(afterMs, () => {
        const call = meta.of(callId);
        if (call) for (const session of this.world.sessionsOf(call)) session.press(digit);
      });
    }
    for (const each of plan.acts) {
      sim.after(each.afterMs, () => void act(this.world, callId, each));
    }
    if (plan.endsAfterMs !== null) sim.after(plan.endsAfterMs, () => this.#end(callId));
    const claimAfterMs = plan.agents[0]?.claimsAfterMs ?? null;
    const isAtOnce = plan.hangsUpAtClaim && isClaimed && claimAfterMs !== null;
    const hangsUpAfterMs = isAtOnce ? claimAfterMs : plan.hangsUpAfterMs;
    if (hangsUpAfterMs === null) return;
    sim.after(hangsUpAfterMs, () => {
      const call = meta.of(callId);
      if (!call) return;
      if (isAtOnce) faults.note('claim-and-hang-up-at-once');
      meta.hangUp(call);
    });
  }

  async #claim(callId: string, agentId: string): Promise<ClaimReply> {
    const { sim } = this.world;
    await sim.sleep(5);
    const claim = claimOf(agentId, sim.nowMs);
    const call = await answered(
      this.world.sim,
      this.world.anyBoard().claim(callId as CallId, claim),
    );
    if (!call) return { state: 'unknown', claimedBy: null };
    const isParty = call.people.parties.some((party) => party.agentId === (agentId as never));
    const holder = isParty ? agentId : (call.claim?.agentId ?? null);
    return { state: call.state, claimedBy: call.outcome ? null : holder };
  }

  /** Whoever it fails for goes on ringing. */
  async #decline(callId: string, agentId: string): Promise<void> {
    const { sim, faults, record } = this.world;
    const board = this.world.anyBoard();
    await answered(sim, board.decline(callId as CallId, agentId as never)).catch(() => null);
    const last = record.commits.get(callId)?.at(-1);
    if (last?.entry.type === 'ring-ended') faults.note('ring-declined');
  }

  #end(callId: string): void {
    this.world.faults.note('end-requested');
    const attempt = async (left: number): Promise<void> => {
      try {
        await answered(this.world.sim, this.world.anyBoard().end(callId as CallId, ADMIN));
      } catch {
        await this.world.sim.sleep(1_000);
        if (left > 0) await attempt(left - 1);
      }
    };
    void attempt(2);
  }

  /** Whoever it fails for leaves it at that. */
  async #steer(callId: string, command: AudioCommand): Promise<void> {
    const { sim, record, faults } = this.world;
    const versionOf = () => record.commits.get(callId)?.length ?? 0;
    const before = versionOf();
    const steered = this.world.anyBoard().steer(callId as CallId, command, ADMIN);
    const call = await answered(sim, steered).catch(() => null);
    if (call?.state === 'active' && versionOf() > before) faults.note('sound-steered');
  }

  // ---- the provider's news ---------------------------------------------------------------------------------------------------

  #tell(call: MetaCall, news: Parameters<typeof deliveryOf>[1]): void {
    const plan = this.started.find(({ callId }) => callId === call.callId)?.plan;
    const more = {
      hasFallbackText: plan?.hasFallbackText ?? false,
      recording: plan?.recording ?? null,
      hidesOpaque: plan?.kind === 'outbound' && plan.hidesOpaque,
      payload: plan?.kind === 'inbound' ? plan.payload : null,
    };
    const delivery = deliveryOf(call, news, this.world.sim.nowMs, more);
    const isLost = news.type === 'terminate' && this.#isHealed && plan?.farewell === 'user-untold';
    this.world.webhooks.send(call.callId, news.type, delivery, isLost);
  }

  #asked(callId: string): void {
    const phone = this.world.phones.get(callId);
    if (!phone || phone.plan.asks === 'ignores' || phone.plan.asks === null) return;
    const isGranted = phone.plan.asks === 'grants';
    const reply = async (): Promise<void> => {
      const { sim } = this.world;
      const board = this.world.anyBoard();
      const { id } = contactOf(phone.user);
      const isTaken = await answered(sim, board.permissionChanged(NUMBER_ID, id, isGranted)).then(
        () => true,
        () => false,
      );
      if (isTaken) return;
      await sim.sleep(2_000);
      await reply();
    };
    this.world.sim.after(500 + phone.plan.phoneAfterMs, reply);
  }

  // ---- the end of all trouble -------------------------------------------------------------------------------------------------

  #heal(): void {
    const { world } = this;
    world.faults.stop();
    world.record.comeBack();
    world.replace('outdated');
    for (const relay of world.relays) relay.reconnect();
    this.#isHealed = true;
  }

  /** Calls that everybody is content with end in the end, too. */
  #farewell(): void {
    for (const { plan, callId } of this.started) {
      const call = this.world.meta.of(callId);
      if (call?.phase !== 'connected') continue;
      if (plan.farewell === 'api') this.#end(callId);
      else this.world.meta.hangUp(call);
    }
  }
}
