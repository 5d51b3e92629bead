// How both voices of a call sounded, estimated from its figures.
import { mosOf, ratingOf } from './domain/mos.ts';
import type { CallStats } from './protocol.ts';

type VoiceStats = CallStats['from_caller'];

/** Fewer packets than this, a second of a voice, say nothing about how it sounded. */
const PACKETS_MIN = 50;

/** What Opus delays a voice by with frames of 20 ms. Spec: RFC 6716 section 2. */
const CODING_MS = 26.5;

/** What a receiver waits for late packets besides twice the jitter, in ms: assumed, because nobody tells it. */
const WAITING_MS = 40;

/**
 * Adds the mean opinion scores. Of a voice they take in what was lost on its way to us and, as far as its receiver tells, from us;
 * half of both round trips; coding; and a jitter buffer that is assumed. What lies beyond the provider is not known.
 */
export function withMos(stats: CallStats): CallStats {
  const wayMs = [stats.from_caller, stats.to_caller].reduce(
    (sum, { receiver }) => sum + (receiver?.rtt_ms ?? 0) / 2,
    0,
  );
  return {
    from_caller: rated(stats.from_caller, wayMs),
    to_caller: rated(stats.to_caller, wayMs),
  };
}

function rated(voice: VoiceStats, wayMs: number): VoiceStats {
  const { packets, lost, gaps = 0, receiver } = voice;
  if (packets < PACKETS_MIN) return voice;
  const arrived = packets / (packets + lost);
  const received = receiver ? 1 - Math.min(1, receiver.lost / Math.max(1, receiver.packets)) : 1;
  const jitterMs = receiver?.jitter_ms ?? voice.jitter_ms;
  const rating = ratingOf({
    lossShare: 1 - arrived * received,
    burstPackets: gaps === 0 ? 1 : lost / gaps,
    delayMs: wayMs + CODING_MS + WAITING_MS + 2 * jitterMs,
  });
  return { ...voice, mos: Math.round(mosOf(rating) * 100) / 100 };
}
