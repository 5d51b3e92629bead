// What a call costs: seconds billed by the provider's rule, priced by the rate card that the operator loaded. Sums are whole
// millionths of a currency's unit. Pure.

/** One line of the rate card. */
export interface Rate {
  /** Country prefix of the callee, digits. */
  readonly prefix: string;
  /** The tier begins above this many minutes a month. */
  readonly tierFromMinutes: number;
  readonly currency: string;
  /** Millionths of the currency's unit. */
  readonly microsPerMinute: number;
  /** First day on which it applies, YYYY-MM-DD, UTC. */
  readonly validFrom: string;
}

/** The lines of the card that price calls to one prefix, and how far this month has come. */
export interface Tariff {
  readonly prefix: string;
  readonly currency: string;
  /** Lowest tier first. */
  readonly tiers: readonly Pick<Rate, 'tierFromMinutes' | 'microsPerMinute'>[];
  /** Seconds billed to this prefix earlier in the calendar month. */
  readonly billedBeforeS: number;
}

/** What a call is billed. Without a rate there is no cost: nothing is invented. */
export interface Charge {
  /** From pickup, in steps of 6 s. */
  readonly billedS: number;
  /** Millionths of the currency's unit. */
  readonly costMicros?: number;
  readonly currency?: string;
  /** Of the rate that priced it. */
  readonly ratePrefix?: string;
}

/** Provider: calls are billed in pulses of six seconds, a started pulse is a whole one, Calling API pricing, read 2026-06. */
const PULSE_S = 6;
const PULSES_PER_MINUTE = 60 / PULSE_S;

/** Seconds that are billed for a call that was up for `durationMs`; 61 s are 11 pulses, 66 s. */
export const billedSeconds = (durationMs: number): number =>
  Math.max(0, Math.ceil(durationMs / (PULSE_S * 1000))) * PULSE_S;

/**
 * What a call is billed. Calls that users start are free, and so is what was never picked up.
 *
 * @param call `pickedUpAtMs` null when nobody picked up
 * @param tariff of the called number at that time; null when the card has none
 */
export function chargeOf(
  call: {
    readonly direction: 'inbound' | 'outbound';
    readonly pickedUpAtMs: number | null;
    readonly endedAtMs: number;
  },
  tariff: Tariff | null,
): Charge {
  if (call.direction === 'inbound' || call.pickedUpAtMs === null) return { billedS: 0 };
  const billedS = billedSeconds(call.endedAtMs - call.pickedUpAtMs);
  const tier = tariff && tierOf(tariff, billedS);
  if (!tariff || !tier) return { billedS };
  const pulses = billedS / PULSE_S;
  // Half a millionth rounds up.
  const costMicros = Math.floor((tier.microsPerMinute * pulses) / PULSES_PER_MINUTE + 0.5);
  return { billedS, costMicros, currency: tariff.currency, ratePrefix: tariff.prefix };
}

/**
 * The highest tier that the call reaches. Provider: a call that crosses a tier is wholly priced at the rate of the higher one,
 * Calling API pricing, read 2026-06.
 */
const tierOf = ({ tiers, billedBeforeS }: Tariff, billedS: number) =>
  tiers.findLast(
    ({ tierFromMinutes }) =>
      tierFromMinutes === 0 || billedBeforeS + billedS > tierFromMinutes * 60,
  );

/**
 * The lines of a card that price a call: the longest prefix of the callee's number that has any, and of its versions the one
 * that was valid last.
 *
 * @param rates those whose prefix matches and more, in any order
 * @param phone of the callee, E.164 digits
 * @param day of the pickup, YYYY-MM-DD, UTC
 */
export function tariffOf(
  rates: readonly Rate[],
  phone: string,
  day: string,
): Omit<Tariff, 'billedBeforeS'> | null {
  const valid = rates.filter(
    ({ prefix, validFrom }) => phone.startsWith(prefix) && validFrom <= day,
  );
  const [best] = valid.toSorted(
    (a, b) => b.prefix.length - a.prefix.length || (a.validFrom < b.validFrom ? 1 : -1),
  );
  if (!best) return null;
  const { prefix, currency, validFrom } = best;
  return {
    prefix,
    currency,
    tiers: valid
      .filter((rate) => rate.prefix === prefix && rate.validFrom === validFrom)
      .map(({ tierFromMinutes, microsPerMinute }) => ({ tierFromMinutes, microsPerMinute }))
      .toSorted((a, b) => a.tierFromMinutes - b.tierFromMinutes),
  };
}
