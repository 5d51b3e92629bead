// Which rule takes a call, and why none before it did. Pure, total, and the same for the same call.
import type { Hours } from './calling-hours.ts';
import { NUMBER_HOURS } from './check-rules.ts';
import { isOpen } from './opening.ts';
import type { Match, RuleSet, Step } from './rules.ts';

/** What rules can ask about a call. */
export interface CallFacts {
  readonly callId: string;
  readonly numberId: string;
  /** E.164 digits; null for a user without a known phone number. */
  readonly phone: string | null;
  /** ISO 3166-1 of that number; null when it is not known. */
  readonly country: string | null;
  readonly tags: readonly string[];
  readonly isReturning: boolean;
  /** What the button or link carries that started the call. */
  readonly payload: string | null;
  /** Hours in which users may call the number; null: around the clock. */
  readonly numberHours: Hours | null;
  /** Teams of which somebody could take a call at once. */
  readonly availableTeams: ReadonlySet<string>;
}

export interface PassedOver {
  readonly rule: string;
  /** The member of `match` that did not fit, and what it met. */
  readonly why: string;
}

export interface Route {
  /** Position in `rules`; null when `otherwise` takes the call. */
  readonly index: number | null;
  readonly steps: readonly Step[];
  /** One entry for each rule before, in order. */
  readonly passedOver: readonly PassedOver[];
}

/** Finds the rule for a call that is there at `nowMs`. */
export function route(set: RuleSet, call: CallFacts, nowMs: number): Route {
  const passedOver: PassedOver[] = [];
  const asked = new Asked(set, call, nowMs);
  for (const [index, rule] of set.rules.entries()) {
    const why = asked.mismatch(rule.match, rule.name);
    if (why === null) return { index, steps: rule.steps, passedOver };
    passedOver.push({ rule: rule.name, why });
  }
  return { index: null, steps: set.otherwise, passedOver };
}

class Asked {
  readonly #set: RuleSet;
  readonly #call: CallFacts;
  readonly #nowMs: number;
  /** Hours are asked for by many rules, and cost the most. */
  readonly #open = new Map<string, boolean>();

  constructor(set: RuleSet, call: CallFacts, nowMs: number) {
    this.#set = set;
    this.#call = call;
    this.#nowMs = nowMs;
  }

  /** @returns null when everything fits */
  mismatch(match: Match, rule: string): string | null {
    const { numbers, caller, hours, payload, percentage, available } = match;
    const call = this.#call;
    if (numbers && !numbers.includes(call.numberId)) return `numbers: called was ${call.numberId}`;
    const unfit = caller && this.#callerMismatch(caller);
    if (unfit) return unfit;
    if (hours && this.#isOpen(hours.schedule) !== (hours.is === 'open'))
      return `hours: ${hours.schedule} is ${hours.is === 'open' ? 'closed' : 'open'}`;
    if (payload && !hasPayload(payload, call.payload)) return 'payload: another one, or none';
    if (available && call.availableTeams.has(available.team) !== available.is)
      return `available: ${available.is ? 'nobody' : 'somebody'} of ${available.team} could take the call`;
    if (percentage !== undefined) {
      const share = shareOf(`${call.callId}/${rule}`);
      if (share >= percentage)
        return `percentage: the call fell on ${share}, not below ${percentage}`;
    }
    return null;
  }

  #callerMismatch({
    phones,
    countries,
    list,
    tag,
    returning,
  }: NonNullable<Match['caller']>): string | null {
    const { phone, country, tags, isReturning } = this.#call;
    if (phones && !(phone !== null && phones.includes(phone)))
      return 'caller.phones: another phone, or none';
    if (countries && !(country !== null && countries.includes(country)))
      return `caller.countries: ${country ?? 'none known'}`;
    if (list !== undefined && !(phone !== null && (this.#set.lists[list] ?? []).includes(phone)))
      return `caller.list: not in ${list}`;
    if (tag !== undefined && !tags.includes(tag)) return `caller.tag: not tagged ${tag}`;
    if (returning !== undefined && returning !== isReturning)
      return `caller.returning: ${isReturning ? 'spoke here before' : 'never spoke here'}`;
    return null;
  }

  #isOpen(schedule: string): boolean {
    let open = this.#open.get(schedule);
    if (open === undefined) {
      const hours =
        schedule === NUMBER_HOURS
          ? this.#call.numberHours
          : (this.#set.schedules[schedule] ?? null);
      open = hours === null || isOpen(hours, this.#nowMs);
      this.#open.set(schedule, open);
    }
    return open;
  }
}

function hasPayload(
  { equals, starts_with }: NonNullable<Match['payload']>,
  payload: string | null,
): boolean {
  if (payload === null) return false;
  return equals === undefined ? payload.startsWith(starts_with ?? '') : payload === equals;
}

/** 0 to 99, evenly over ids, and the same for the same one. Source: FNV-1a, 32 bits, with the finish of MurmurHash3. */
function shareOf(id: string): number {
  let hash = 0x811c_9dc5;
  for (let index = 0; index < id.length; index++)
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % 100;
}
