// How a call sounds, as outsiders see it: one shape for calls that are over and for the event stream.
import { z } from '@hono/zod-openapi';

const receiver = z.object({
  packets: z.int().openapi({ description: 'What it was sent until it told this' }),
  lost: z.int(),
  jitter_ms: z.number(),
  rtt_ms: z.number().optional().openapi({ description: 'Mean round-trip time of this leg' }),
});

const voice = z.object({
  packets: z.int(),
  lost: z.int(),
  jitter_ms: z.number().openapi({ description: 'Interarrival jitter, RFC 3550' }),
  filled: z.int().openapi({ description: 'Silence packets made up where the source had nothing' }),
  first_audio_ms: z.number().optional().openapi({ description: 'From the opening of the path' }),
  duplicates: z.int().optional(),
  reordered: z.int().optional().openapi({ description: 'Packets that a later one overtook' }),
  late: z.int().optional().openapi({ description: 'Packets that came too late to be passed on' }),
  gaps: z.int().optional().openapi({ description: 'Runs of lost packets' }),
  longest_gap: z.int().optional().openapi({ description: 'The longest of them, in packets' }),
  mos: z.number().optional().openapi({
    description: 'Mean opinion score, 1 (bad) to 4.5, estimated by ITU-T G.107 from loss and delay',
  }),
  receiver: receiver.optional().openapi({
    description: 'What the receiver of this voice tells by RTCP, where it tells anything',
  }),
});

export const qualityView = z
  .object({
    from_caller: voice.openapi({
      description: 'As it came from WhatsApp; its receiver is the LiveKit server',
    }),
    to_caller: voice.openapi({
      description: 'As it came from the room, all tracks together; its receiver is WhatsApp',
    }),
  })
  .openapi('Quality', {
    description: 'Counted from the opening of the path. Relays of an earlier version tell less',
  });
export type QualityView = z.infer<typeof qualityView>;
