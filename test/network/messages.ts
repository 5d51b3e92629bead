// What the two sides of a call in namespaces tell each other, through the test that started both.
import type { CallStats } from '../../relay/protocol.ts';

export type FromPhone =
  | { readonly type: 'offer'; readonly sdp: string }
  | { readonly type: 'answer-applied' }
  | { readonly type: 'heard' };
export type ToPhone = { readonly type: 'answer'; readonly sdp: string } | { readonly type: 'talk' };

export type FromRelay =
  | { readonly type: 'answer'; readonly sdp: string }
  | { readonly type: 'ready' }
  | { readonly type: 'heard' }
  | {
      readonly type: 'over';
      readonly path: { local: string; local_type: string; remote: string } | undefined;
      readonly stats: CallStats | undefined;
    };
export type ToRelay =
  | { readonly type: 'offer'; readonly sdp: string }
  | { readonly type: 'enter' }
  | { readonly type: 'open' }
  | { readonly type: 'close' };

export const CALLER_HZ = 440;
export const AGENT_HZ = 1_000;
/** How much of a tone is heard before a call is over. */
export const HEARD_MS = 2_000;

/** How long a tone was heard, in ms. */
export const toneMs = (
  tones: readonly { hz: number; fromMs: number; toMs: number }[],
  hz: number,
): number =>
  tones
    .filter((tone) => Math.abs(tone.hz - hz) < 15)
    .reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
