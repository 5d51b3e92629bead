// How a voice sounds, estimated from what its packets went through: the E-model of ITU-T G.107 (06/2015).

/** What a voice went through from mouth to ear. */
export type VoicePath = {
  /** Share of packets that were lost, 0 to 1. */
  lossShare: number;
  /** Mean length of a run of lost packets, at least 1; of independent losses it is `1 / (1 - lossShare)`. */
  burstPackets: number;
  /** One way, in ms. */
  delayMs: number;
};

/** Spec: G.107 clause 7.7, the rating with all parameters at their defaults: Ro - Is, with nothing to impair it. */
const RATING_UNIMPAIRED = 93.2;

/** Spec: G.107 clause 7.4 and table 1, the shortest delay that is noticed (mT), for the default sensitivity (sT = 1), in ms. */
const DELAY_NOTICED_MS = 100;

/**
 * What coding alone impairs, Ie. ITU-T G.113 has no value for Opus; assumed to be none on the scale of narrow-band telephony,
 * because Opus at WhatsApp's 20 kbit/s is wideband.
 */
const IMPAIRMENT_OF_CODING = 0;

/**
 * How well a lost packet is made up for, Bpl. G.113 has no value for Opus either. 20 is what `ggarber/rtcscore` (src/rtc_mos.js)
 * takes for Opus with in-band FEC; for comparison, G.113 table I.3: 25.1 for G.711 with concealment, 4.3 without.
 */
const LOSS_ROBUSTNESS = 20;

/**
 * The transmission rating R, 0 (worst) to 93.2. Echo and noise are taken to be none, so it says how far the network impaired a
 * call and is an estimate; calls may be compared with each other by it.
 * Spec: G.107 table 2 admits losses up to 20 %; beyond them it says that a call was bad, and no more.
 */
export function ratingOf({ lossShare, burstPackets, delayMs }: VoicePath): number {
  const lossPercent = 100 * lossShare;
  // Spec: G.107 clause 7.5, BurstR is the mean burst over that of independent losses; it is at least 1 for what networks do.
  const burstRatio = Math.max(1, burstPackets * (1 - lossPercent / 100));
  const impairmentOfLoss =
    IMPAIRMENT_OF_CODING +
    ((95 - IMPAIRMENT_OF_CODING) * lossPercent) / (lossPercent / burstRatio + LOSS_ROBUSTNESS);
  return Math.max(0, RATING_UNIMPAIRED - impairmentOfDelay(delayMs) - impairmentOfLoss);
}

/** Spec: G.107 clause 7.4, Idd: the impairment by delay alone. */
function impairmentOfDelay(delayMs: number): number {
  if (delayMs <= DELAY_NOTICED_MS) return 0;
  const doublings = Math.log2(delayMs / DELAY_NOTICED_MS);
  return 25 * (sixthRoot(1 + doublings ** 6) - 3 * sixthRoot(1 + (doublings / 3) ** 6) + 2);
}

const sixthRoot = (value: number): number => value ** (1 / 6);

/** The mean opinion score that a rating stands for, 1 (bad) to 4.5. Spec: G.107 annex B. */
export function mosOf(rating: number): number {
  if (rating <= 0) return 1;
  if (rating >= 100) return 4.5;
  return Math.max(1, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6);
}
