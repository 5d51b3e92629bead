// A signal as the control API takes it; see `Signal`.
import { z } from 'zod';

const hz = z.number().int().min(1).max(7000);

/** What a phone plays. */
export const signal = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tone'), hz, dbfs: z.number().min(-60).max(0).default(-12) }),
  z.strictObject({ kind: z.literal('tones'), hz: z.array(hz).min(1).max(6) }),
  z.strictObject({ kind: z.literal('beeps'), hz }),
  z.strictObject({ kind: z.literal('speech') }),
  z.strictObject({ kind: z.literal('silence') }),
]);
