// Makes things go wrong, at once or with the next operation of a kind.
import { DISRUPTIONS, type ArmedFault, type Disruption } from './faults.ts';
import type { Trouble } from './plan.ts';
import type { Relay } from './relays.ts';
import type { World } from './world.ts';

/** A relay is silent for longer than anything else lasts: it is missed after 30 s only. */
const SILENCE_FACTOR = 4;
const RESTART_MS_MAX = 8_000;
/** How long a relay may be unheard before it is missed. */
const UNNOTICED_MS = 30_000;

/** @param callIds the calls that were started so far */
export function makeTrouble(world: World, callIds: readonly string[], trouble: Trouble): void {
  const { fault, ms } = trouble;
  if (!isDisruption(fault)) world.faults.arm(fault, ms);
  else if (disrupt(world, callIds, fault, trouble)) world.faults.note(fault);
}

const isDisruption = (fault: ArmedFault | Disruption): fault is Disruption =>
  (DISRUPTIONS as readonly string[]).includes(fault);

/** A death that nobody can see is noticed like any other silence. */
function dieOf({ faults, sim }: World, relay: Relay): void {
  if (relay.isCutOff) faults.disturb(sim.nowMs + UNNOTICED_MS);
  relay.die();
}

/** @returns false when there was nothing to disturb, or when it happens later */
function disrupt(
  world: World,
  callIds: readonly string[],
  what: Disruption,
  { which, ms }: Trouble,
): boolean {
  const { sim, relays, faults, rooms } = world;
  const relay = relays[which % relays.length];
  const callId = callIds[which % Math.max(1, callIds.length)] ?? '';
  if (!relay) return false;
  switch (what) {
    case 'switchboard-evicted':
      world.evictWhenIdle();
      return false;
    case 'switchboard-restarted':
      world.replace('restarted');
      return true;
    case 'switchboard-doubled':
      world.replace('doubled');
      faults.disturb(sim.nowMs + ms);
      sim.after(ms, () => world.replace('outdated'));
      return true;
    case 'relay-socket-breaks':
      relay.breakSocket();
      return true;
    case 'relay-restarts':
      dieOf(world, relay);
      sim.after(200 + (ms % RESTART_MS_MAX), () => relay.start());
      return true;
    case 'relay-dies':
      dieOf(world, relay);
      return true;
    case 'relay-goes-silent':
      relay.cutOff(ms * SILENCE_FACTOR);
      faults.disturb(sim.nowMs + ms * SILENCE_FACTOR);
      return true;
    case 'relay-drains':
      relay.drain();
      return true;
    case 'd1-away':
      world.record.goAway(ms);
      faults.disturb(sim.nowMs + ms);
      return true;
    case 'livekit-restarts':
      rooms.restart();
      return true;
    case 'room-deleted-by-hand':
      return rooms.delete(`call-${callId}`);
    case 'caller-removed-by-hand':
      return rooms.remove(`call-${callId}`, `caller-${callId}`);
  }
}
