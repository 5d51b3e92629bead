// What is asked while calls are connected, and at the end of a schedule.
import type { MetaCall } from './meta.ts';
import type { Schedule } from './schedule.ts';
import { watchSound } from './sound.ts';

/** Longest that nothing happens at a step of the rules of a schedule, in ms: 20 s in a queue; taking back a claim comes on top. */
const STEP_MS_MAX = 45_000;
/**
 * How long a connected caller may hear nobody once nothing is wrong any more, in ms: an agent whose connection broke may return
 * for 15 s, a relay for 5 s, and the provider itself waits 20 s for the first media; ending the call comes on top.
 */
const ALONE_MS_MAX = 25_000;
const aloneSince = new WeakMap<MetaCall, number>();

/** An unanswered call is ended 26 s after the provider's timestamp; after trouble, retries and leases come on top. */
const RINGING_MS_MAX = 45_000;

/** Once a second for every call of a user that rings, and for every connected call. */
export function watch(schedule: Schedule, call: MetaCall): void {
  if (call.phase === 'ringing') watchRinging(schedule, call);
  else watchConnected(schedule, call);
}

function watchRinging({ world }: Schedule, call: MetaCall): void {
  const commits = world.record.commits.get(call.callId) ?? [];
  const [first] = commits;
  // Nobody can answer a call of which nobody was told.
  if (!first || commits.some(({ entry }) => entry.type === 'end-unconfirmed')) return;
  const ringingMs = world.sim.nowMs - Math.max(first.atMs, world.faults.lastAtMs);
  if (ringingMs > RINGING_MS_MAX) {
    world.judge.violated('rings-too-long', call.callId, `${Math.round(ringingMs / 1_000)} s`);
  }
}

function watchConnected(schedule: Schedule, call: MetaCall): void {
  const { world } = schedule;
  const { nowMs } = world.sim;
  watchSound(world, call, world.sessionsOf(call));
  const plan = schedule.started.find(({ callId }) => callId === call.callId)?.plan;
  // In a room that is open to everybody nobody in particular is expected.
  if (plan?.kind === 'outbound' && plan.target === 'room') return;
  // Callers at a step of a rule hear something, and it ends by itself.
  const last = world.record.commits.get(call.callId)?.at(-1);
  if (last?.call.flow?.stage) {
    const stillMs = nowMs - Math.max(last.atMs, world.faults.lastAtMs);
    // What an operator plays over and over is heard until they stop it.
    const isLooped = last.call.audio.playing?.isLoop ?? false;
    if (stillMs > STEP_MS_MAX && !isLooped) {
      world.judge.violated('step-stands-still', call.callId, last.call.flow.stage.kind);
    }
    aloneSince.delete(call);
    return;
  }
  const isServed = world
    .sessionsOf(call)
    .some((session) => session.isUp && session.isOpen && session.heard().length > 0);
  if (isServed) {
    aloneSince.delete(call);
    return;
  }
  const sinceMs = aloneSince.get(call) ?? nowMs;
  aloneSince.set(call, sinceMs);
  const aloneMs = nowMs - Math.max(sinceMs, world.faults.lastAtMs);
  schedule.aloneMs = Math.max(schedule.aloneMs, aloneMs);
  if (aloneMs > ALONE_MS_MAX) {
    world.judge.violated('caller-alone', call.callId, `${Math.round(aloneMs / 1_000)} s`);
  }
}

export async function finalJudgement(schedule: Schedule): Promise<void> {
  judgeProvider(schedule);
  judgeRecord(schedule);
  judgePairs(schedule);
  judgeWhatIsLeft(schedule);
  judgeClaims(schedule);
  await judgeStored(schedule);
}

function judgeProvider({ world, started }: Schedule): void {
  const { meta, webhooks, outside, judge, record } = world;
  for (const [callId, dials] of meta.dials) {
    if (dials > 1) judge.violated('dialled-twice', callId, `${dials} dials`);
  }
  for (const [callId, texts] of outside.texts) {
    if (texts > 1) judge.violated('text-sent-twice', callId, `${texts} texts`);
  }
  for (const [callId, asks] of outside.asks) {
    if (asks > 1) judge.violated('asked-twice', callId, `${asks} permission requests`);
  }
  for (const webhook of webhooks.sent) {
    if (!webhook.isAcknowledged && !webhook.isLost) {
      judge.violated('webhook-never-taken', webhook.callId, webhook.type);
    }
    const isKnown = record.commits.has(webhook.callId);
    if (webhook.type === 'offer' && webhook.isAcknowledged && !isKnown) {
      judge.violated('call-lost', webhook.callId, 'announced and acknowledged, not in the record');
    }
  }
  for (const call of meta.calls.values()) {
    if (call.phase === 'over') continue;
    const commits = record.commits.get(call.callId) ?? [];
    const isGivenUp = commits.some(({ entry }) => entry.type === 'end-unconfirmed');
    if (commits.length > 0 && !isGivenUp) {
      judge.violated(
        call.phase === 'ringing' ? 'rings-for-ever' : 'connected-for-ever',
        call.callId,
        call.wacid,
      );
    }
  }
  const caused = new Set([
    ...[...meta.calls.values()].map(({ callId }) => callId),
    ...started.map(({ callId }) => callId),
  ]);
  for (const callId of record.commits.keys()) {
    if (!caused.has(callId)) judge.violated('phantom-call', callId, 'nobody caused it');
  }
}

function judgeRecord({ world, started }: Schedule): void {
  for (const { callId, isPromised } of started) {
    if (isPromised && !world.record.commits.has(callId)) {
      world.judge.violated('call-lost', callId, 'promised by the API, not in the record');
    }
  }
}

/** A number calls a user once at a time, unless two Switchboards each think so. */
function judgePairs({ world, started }: Schedule): void {
  if (world.faults.happened.has('switchboard-doubled')) return;
  const calls = started.flatMap(({ plan, callId }) => {
    const commits = world.record.commits.get(callId) ?? [];
    const [first] = commits;
    const endedAtMs = commits.find(({ call }) => call.outcome !== null)?.atMs ?? Infinity;
    return plan.kind === 'outbound' && first
      ? [{ callId, user: plan.user, fromMs: first.atMs, endedAtMs }]
      : [];
  });
  for (const call of calls) {
    const rival = calls.find(
      (other) =>
        other !== call &&
        other.user === call.user &&
        other.fromMs >= call.fromMs &&
        other.fromMs < call.endedAtMs,
    );
    if (rival) world.judge.violated('called-twice-at-once', call.callId, rival.callId);
  }
}

function judgeWhatIsLeft({ world }: Schedule): void {
  const { relays, rooms, judge, board } = world;
  for (const relay of relays) {
    for (const { callId } of relay.sessions()) judge.violated('session-left', callId, relay.id);
    if (relay.isRunning && relay.isUnacknowledged) judge.violated('events-left', '', relay.id);
    const load = board.book.loadOf(relay.id as never);
    if (load > 0) judge.violated('load-left', '', `${relay.id}: ${load}`);
  }
  for (const room of rooms.names()) {
    const people = rooms.members(room).map(({ identity }) => identity);
    judge.violated(people.length > 0 ? 'people-left' : 'room-left', room, people.join(', '));
  }
}

function judgeClaims({ world, started }: Schedule): void {
  const { people, record, judge, faults } = world;
  for (const { callId, agentId, askedAtMs, answeredAtMs, reply } of people.answers) {
    if (!reply) continue;
    const during = (record.commits.get(callId) ?? []).filter(({ atMs }) => atMs <= answeredAtMs);
    const held = during.filter(
      ({ call }) =>
        call.claim?.agentId === agentId ||
        call.people.parties.some((party) => party.agentId === (agentId as never)),
    );
    if (reply.claimedBy === agentId && held.length === 0) {
      judge.violated('told-a-claim-that-is-not', callId, agentId);
    }
    const won = during.filter(
      ({ call, entry, atMs }) =>
        entry.type === 'claimed' && call.claim?.agentId === agentId && atMs >= askedAtMs,
    );
    const hasEnded = during.some(({ call }) => call.outcome !== null);
    const wasReleased = during.some(({ entry }) => entry.type === 'claim-released');
    if (won.length > 0 && reply.claimedBy !== agentId && !hasEnded && !wasReleased) {
      judge.violated('winner-not-told', callId, agentId);
    }
    const holder = during.at(-1)?.call;
    const isTaken = holder?.claim && !holder.outcome && holder.claim.agentId !== agentId;
    const isForAnybody = started.some(
      (call) => call.callId === callId && call.plan.kind === 'inbound',
    );
    // A Switchboard that was replaced may still answer from what it knew, as long as it has nothing to store.
    const wasDoubled = faults.happened.has('switchboard-doubled');
    if (
      isTaken &&
      isForAnybody &&
      !wasDoubled &&
      reply.claimedBy === null &&
      during.every(({ atMs }) => atMs < askedAtMs)
    ) {
      judge.violated('loser-not-told', callId, agentId);
    }
  }
}

/** What really stands in the database, not what commits were seen. */
async function judgeStored({ world }: Schedule): Promise<void> {
  const { sim, options, record, judge } = world;
  for (const [callId, commits] of record.commits) {
    const stored = await sim.outside(() => options.store.find(callId as never));
    const last = commits.at(-1)?.call;
    if (!stored) judge.violated('call-lost', callId, 'committed, not in the database');
    else if (stored.version !== last?.version) {
      judge.violated('database-differs', callId, `version ${stored.version}, not ${last?.version}`);
    } else if (stored.state !== 'ended' && stored.state !== 'tombstone') {
      judge.violated('stuck-call', callId, `${stored.state}, version ${stored.version}`);
    } else if (stored.state === 'ended' && !stored.outcome) {
      judge.violated('no-outcome', callId, stored.state);
    }
    const left = [
      ...(stored?.pending ?? []).map(({ job }) => job.action),
      ...Object.keys(stored?.timers ?? {}),
    ];
    if (left.length > 0) judge.violated('work-left', callId, left.join(', '));
  }
}
