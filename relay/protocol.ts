// The protocol between the worker and its relays: JSON text frames over one WebSocket that the relay opens.
// The only file that both programs import. It may depend on nothing but the schema library.
import { z } from 'zod';

/**
 * Version that this build speaks. The worker accepts this one and the one before; frames and fields that one side does not
 * know are ignored, so that worker and relays can be deployed at different times.
 */
export const PROTOCOL_VERSION = 4;

/** From this version on a relay does what `hold`, `playing` and `recording` say. */
export const AUDIO_PROTOCOL_VERSION = 3;

/** Longest frame in bytes that either side reads. An offer or answer is 2 to 4 kB; 64 kB is room for unusual ones. */
export const FRAME_BYTES_MAX = 65_536;

/** Text frames of the keep-alive; they are not JSON so that the worker's runtime can answer them without waking up. */
export const PING = 'ping';
export const PONG = 'pong';

/**
 * How often the relay sends `PING`, in ms, the first time with its `hello`. Silence for three periods means to either side that
 * the connection is gone.
 */
export const PING_INTERVAL_MS = 10_000;

/** Close codes of the worker (application range of RFC 6455 section 7.4.2). */
export const CLOSE_REPLACED = 4001;
export const CLOSE_BAD_FRAME = 4002;
export const CLOSE_TOO_OLD = 4003;
export const CLOSE_SILENT = 4004;
export const CLOSE_TOO_MANY_FRAMES = 4005;

/**
 * Prompts that every relay brings along; all others are fetched from the worker. A relay that does not know one yet says that it
 * could not be played.
 */
export const SHIPPED_SOUNDS = [
  'sound:hold',
  'sound:ring-back',
  'sound:beep',
  'sound:menu',
  'sound:confirm',
  'sound:error',
  'sound:busy',
] as const;

const callId = z.string().min(1).max(64);
/** SDP is opaque to the worker; the bound keeps a frame and a database row small. */
const sdp = z.string().min(1).max(16_384);
const identity = z.string().min(1).max(256);

/** Who the caller hears besides participants whose signed attribute `roomline.role` is `agent`. */
const audience = z.object({
  /** Identities heard whatever their role. */
  named: z.array(identity).max(32),
  /** Identities not heard whatever their role, such as somebody whose claim was taken back. */
  excluded: z.array(identity).max(32),
  /** Participants of the kind AGENT are heard. */
  ai: z.boolean().default(false),
  /** Every participant is heard. */
  everyone: z.boolean().default(false),
});
export type Audience = z.infer<typeof audience>;

/** What an AI agent asks for: somebody else to have the call. Both halves check it. */
export const transferRequest = z.strictObject({
  to: z
    .strictObject({
      team: z.string().min(1).max(64).optional(),
      agent_id: z.string().min(1).max(64).optional(),
      ai: z
        .strictObject({
          name: z.string().min(1).max(128),
          metadata: z.string().max(4_096).default(''),
        })
        .optional(),
    })
    .refine(
      ({ team, agent_id, ai }) =>
        [team, agent_id, ai].filter((member) => member !== undefined).length === 1,
      'one of `team`, `agent_id` and `ai`',
    ),
  /** What whoever is rung is told of the call first. */
  summary: z.string().min(1).max(2_000).optional(),
});
export type TransferRequest = z.infer<typeof transferRequest>;

/**
 * Asks for an answer to the provider's offer. Repeating it for a call that the relay already has makes it report the same
 * answer again.
 */
const callAnswer = z.object({ type: z.literal('call.answer'), call_id: callId, sdp });

/**
 * The whole wanted state of one call. The relay ignores a `rev` that is not newer than the one it has and reports `call.is`
 * once it has taken one over.
 */
const callWant = z.object({
  type: z.literal('call.want'),
  call_id: callId,
  rev: z.int().nonnegative(),
  /** The provider has our SDP, so connectivity checks may start. Checks sent earlier are lost. */
  connect: z.boolean(),
  /** The path is open: audio flows to the provider. While false, not one RTP or RTCP packet goes there. */
  open: z.boolean(),
  /** Where to join as the caller; absent until the room exists. Used only while the relay is not in the room. */
  room: z
    .object({ url: z.string().min(1).max(2048), token: z.string().min(1).max(8192) })
    .optional(),
  audience,
  /** The caller hears the hold sound; the room neither hears the caller nor is told of their keys. */
  hold: z.boolean().default(false),
  /**
   * A prompt that the caller hears instead of the room, from its beginning for every new `id`; nobody, for a moment, until the
   * relay has it. `played` says that it is over; one that is withdrawn or replaced is cut off without a word.
   */
  playing: z
    .object({ id: z.int().nonnegative(), prompt: z.string().min(1).max(64), loop: z.boolean() })
    .nullable()
    .default(null),
  /** `paused`: the recording goes on with silence in both voices. */
  recording: z.enum(['off', 'on', 'paused']).default('off'),
  /** What AI agents in the room are told of the transfer that one of them has asked for, by the caller's `roomline.transfer`. */
  transfer: z.enum(['ringing', 'failed']).nullable().default(null),
});

/** Asks for an offer to the provider. Repeating it makes the relay report the same offer again. */
const callOffer = z.object({ type: z.literal('call.offer'), call_id: callId });

/** The provider's answer to our offer. Only the first one counts; connectivity checks start with it. */
const callApplyAnswer = z.object({ type: z.literal('call.apply-answer'), call_id: callId, sdp });

/** Ends the call's media and leaves the room. Harmless when repeated or when the call is unknown. */
const callClose = z.object({ type: z.literal('call.close'), call_id: callId });

/** The worker has committed everything up to `seq`; the relay may forget it. */
const ack = z.object({ type: z.literal('ack'), seq: z.int().nonnegative() });

/**
 * This event breaks the protocol, as far as the worker knows it. The relay forgets it: said again it would be refused again. A call
 * of which an `ended` was refused is over all the same.
 */
const refused = z.object({
  type: z.literal('refused'),
  seq: z.int().nonnegative(),
  /** For people: which field, and what was expected. */
  message: z.string().max(500),
});

/** First frame from the worker, in reply to `hello`. */
const welcome = z.object({ type: z.literal('welcome'), protocol: z.int() });

export const frameToRelay = z.discriminatedUnion('type', [
  welcome,
  callAnswer,
  callOffer,
  callApplyAnswer,
  callWant,
  callClose,
  ack,
  refused,
]);
export type FrameToRelay = z.infer<typeof frameToRelay>;
export type CallWant = z.infer<typeof callWant>;

/** First frame from the relay on every connection. */
const hello = z.object({
  type: z.literal('hello'),
  /** As in the address that it dialled: the relay's id, with several processes `ID.1`, `ID.2` and so on. */
  relay_id: z.string().min(1).max(80),
  /** New for every start of the process. Calls of an earlier instance are gone. */
  instance: z.string().min(1).max(64),
  protocol: z.int(),
  /** How many calls it takes at once. */
  capacity: z.int().nonnegative(),
  draining: z.boolean(),
  /** As `load` tells it; absent: it does. */
  accepts: z.boolean().optional(),
  /** Calls whose media it holds. */
  calls: z.array(callId).max(10_000),
});

/** Unsequenced: the wanted state `rev` is in force. */
const callIs = z.object({
  type: z.literal('call.is'),
  call_id: callId,
  rev: z.int().nonnegative(),
});

/** Why a relay ended a call on its own account, or `closed` when it was told to. */
export const RELAY_END_REASONS = [
  'closed',
  'unusable-offer',
  'unusable-answer',
  'no-capacity',
  'media-failed',
  'media-lost',
  'room-failed',
  'room-deleted',
  'removed-from-room',
  'room-lost',
  'internal',
] as const;
export type RelayEndReason = (typeof RELAY_END_REASONS)[number];

const directionStats = z.object({
  packets: z.int().nonnegative(),
  /** Packets that the sequence numbers say existed but never came. */
  lost: z.int().nonnegative(),
  /** Interarrival jitter, RFC 3550 section 6.4.1, in ms. */
  jitter_ms: z.number().nonnegative(),
  /** Packets that the stitcher made up because the source had nothing to send. */
  filled: z.int().nonnegative(),
  /** From the opening of the path to the first packet of a source, in ms; absent when there was none. */
  first_audio_ms: z.number().nonnegative().optional(),
  // What follows is not told by relays of version 2.
  /** Packets that came twice. */
  duplicates: z.int().nonnegative().optional(),
  /** Packets that were overtaken by a later one. */
  reordered: z.int().nonnegative().optional(),
  /** Packets that came too late to be passed on, or in a burst after a stall whose time had been filled. */
  late: z.int().nonnegative().optional(),
  /** Runs of lost packets, and the longest of them in packets. */
  gaps: z.int().nonnegative().optional(),
  longest_gap: z.int().nonnegative().optional(),
  /** Mean opinion score, estimated by ITU-T G.107; absent for less than a second of a voice. */
  mos: z.number().min(1).max(5).optional(),
  /** What whoever is sent this voice tells of it by RTCP; absent when they tell nothing. */
  receiver: z
    .object({
      /** Packets that they were sent until they told it. */
      packets: z.int().nonnegative(),
      lost: z.int().nonnegative(),
      jitter_ms: z.number().nonnegative(),
      /** Mean round-trip time; absent until a report of ours was answered. */
      rtt_ms: z.number().nonnegative().optional(),
    })
    .optional(),
});

export const callStats = z.object({
  /** What the caller said, on its way into the room. */
  from_caller: directionStats,
  /** What the caller was sent. */
  to_caller: directionStats,
});
export type CallStats = z.infer<typeof callStats>;

/**
 * Kept by the relay and sent again after a reconnect until acknowledged. `seq` counts up from 1 per instance over all calls;
 * `at_ms` is the relay's clock, for display only.
 */
const sequenced = { seq: z.int().positive(), at_ms: z.int().nonnegative(), call_id: callId };

export const relayEvent = z.discriminatedUnion('type', [
  /** The answer to `call.answer`, exactly as it must go to the provider. */
  z.object({ type: z.literal('answered'), ...sequenced, sdp }),
  /** The answer to `call.offer`, exactly as it must go to the provider. */
  z.object({ type: z.literal('offered'), ...sequenced, sdp }),
  /** ICE and DTLS with the provider are complete. */
  z.object({
    type: z.literal('media-up'),
    ...sequenced,
    /** Which addresses the connection uses; `local_type` is `prflx` or `srflx` when a NAT maps ours. */
    path: z
      .object({
        local: z.string().max(64),
        local_type: z.string().max(16),
        remote: z.string().max(64),
      })
      .optional(),
  }),
  /** The relay is in the room as the caller, for the first time or again. */
  z.object({ type: z.literal('room-joined'), ...sequenced }),
  /**
   * The connection to the room broke. The relay tries to get back in, with what the next `call.want` brings if that comes first;
   * `room-joined` follows, or `ended` with `room-lost`.
   */
  z.object({
    type: z.literal('room-away'),
    ...sequenced,
    /** For people: how it broke. */
    detail: z.string().max(500).optional(),
  }),
  z.object({
    type: z.literal('participant-joined'),
    ...sequenced,
    identity,
    /** Of an AI agent: the name that it is registered by, or empty. Not told by relays of version 3. */
    ai_name: z.string().max(256).optional(),
  }),
  /**
   * This participant hears and can be heard: it is in the audience, its microphone track (muted or not) is subscribed, and the
   * caller's track has a subscriber. Sent again when the participant comes back after having left.
   */
  z.object({
    type: z.literal('ready'),
    ...sequenced,
    identity,
    /**
     * Of somebody who is heard as an AI agent and for no other reason: the name that it is registered by, empty where LiveKit
     * tells none. Not told by relays of version 3.
     */
    ai_name: z.string().max(256).optional(),
  }),
  /** `left`: on purpose (a page reload looks the same). `lost`: the server gave up on its connection. */
  z.object({
    type: z.literal('participant-left'),
    ...sequenced,
    identity,
    why: z.enum(['left', 'lost', 'removed']),
  }),
  /** The prompt is over. `completed` is false when it could not be had or read. */
  z.object({
    type: z.literal('played'),
    ...sequenced,
    id: z.int().nonnegative(),
    completed: z.boolean(),
  }),
  /** The caller pressed a key; said once for each, when it is let go or held for long. */
  z.object({ type: z.literal('dtmf'), ...sequenced, digit: z.string().regex(/^[0-9*#A-D]$/) }),
  /** An AI agent that the caller hears wants somebody else to have the call. Not told by relays of version 3. */
  z.object({ type: z.literal('transfer-asked'), ...sequenced, identity, request: transferRequest }),
  /** The call is not recorded any further, however often it is wanted: the disk is full or fails. What there is is brought. */
  z.object({ type: z.literal('recording-failed'), ...sequenced }),
  /** Somebody publishes audio whom the caller must not hear; said once per participant. */
  z.object({ type: z.literal('publisher-skipped'), ...sequenced, identity }),
  /** The last event of a call. */
  z.object({
    type: z.literal('ended'),
    ...sequenced,
    reason: z.enum(RELAY_END_REASONS),
    /** For people: what exactly was wrong, such as the offending SDP line. */
    detail: z.string().max(500).optional(),
    stats: callStats.optional(),
  }),
]);
export type RelayEvent = z.infer<typeof relayEvent>;

/** What is read of an event that breaks the protocol: which one it is, and of an `ended` what the call needs. */
export const brokenEvent = z.object({
  type: z.string(),
  seq: sequenced.seq,
  call_id: callId.optional().catch(undefined),
  reason: z.enum(RELAY_END_REASONS).catch('internal'),
});
export type BrokenEvent = z.infer<typeof brokenEvent>;

/** Calls in one frame at most, which keeps it well below `FRAME_BYTES_MAX`. */
export const QUALITY_CALLS_MAX = 50;

/**
 * Unsequenced, every few seconds: the figures so far of calls whose path is open. It is dropped wherever it would have to wait.
 */
const quality = z.object({
  type: z.literal('quality'),
  calls: z.array(z.object({ call_id: callId, stats: callStats })).max(QUALITY_CALLS_MAX),
});
export type QualityFrame = z.infer<typeof quality>;

/** Unsequenced: takes no new calls any more (SIGTERM); running ones go on. */
const draining = z.object({ type: z.literal('draining') });

/** Unsequenced: whether it takes new calls, by what it measures of itself; sent when that changes. */
const load = z.object({ type: z.literal('load'), accepts: z.boolean() });

export const frameFromRelay = z.discriminatedUnion('type', [
  hello,
  callIs,
  quality,
  draining,
  load,
  relayEvent,
]);
export type FrameFromRelay = z.infer<typeof frameFromRelay>;
export type Hello = z.infer<typeof hello>;

/**
 * Reads one JSON text frame.
 *
 * @returns the frame; `unknown` for a type that this version does not know, which the reader ignores; `invalid` for a frame that
 * breaks the protocol: `message` names the fields and shows nothing of what stands in them, `json` is what was read
 */
export function parseFrame<T>(
  schema: z.ZodType<T>,
  text: string,
):
  | { ok: true; frame: T }
  | { ok: false; kind: 'unknown' | 'invalid'; message: string; json?: unknown } {
  if (text.length > FRAME_BYTES_MAX)
    return { ok: false, kind: 'invalid', message: 'frame too long' };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, kind: 'invalid', message: 'not JSON' };
  }
  const result = schema.safeParse(json);
  if (result.success) return { ok: true, frame: result.data };
  const type = (json as { type?: unknown } | null)?.type;
  if (typeof type === 'string' && !KNOWN_TYPES.has(type)) {
    return { ok: false, kind: 'unknown', message: type };
  }
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return { ok: false, kind: 'invalid', message: problems.join('; '), json };
}

const KNOWN_TYPES: ReadonlySet<string> = new Set(
  [...frameToRelay.options, hello, callIs, quality, draining, load, ...relayEvent.options].map(
    (option) => option.shape.type.value,
  ),
);
