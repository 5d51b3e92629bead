// What every simulated call has, whoever started it: its phase, its media rules, and everything that happened to it.
import { SdpValidationError } from './sdp-text.ts';
import type { CallAction, Phase } from './call-rules.ts';
import type { WebhookRecord } from './delivery.ts';
import { FaultBox, type Faults } from './faults.ts';
import { GraphError } from './graph-error.ts';
import { violationsIn, type MediaEndpoint, type Violation } from './media.ts';
import type { SimulatedNumber } from './numbers.ts';
import type { Signal } from './signals.ts';
import type { Caller } from './wire.ts';

/** Meta's time limits, in ms. */
export type Limits = {
  /** From the connect webhook until the call must be accepted. */
  readonly answerMs: number;
  /** From accept until the business's first media packet. */
  readonly firstMediaMs: number;
  /** Longest pause of the business's media (RTP or RTCP) in a call. */
  readonly silenceMs: number;
};

/** Provider: "User-initiated calls" (30 to 60 s, the shorter taken) and "Troubleshooting" (20 s and 30 s), read 2026-06. */
export const META_LIMITS: Limits = { answerMs: 30_000, firstMediaMs: 20_000, silenceMs: 30_000 };

/** Who ended a call, and how. `caller` and `callee` are the user; `platform` is Meta itself, by a limit. */
export type Ending = {
  readonly by: 'business' | 'caller' | 'callee' | 'platform';
  readonly reason:
    'reject' | 'terminate' | 'hangup' | 'no-answer' | 'no-media' | 'failed' | 'shutdown';
  /** With `failed`: code of `errors[]` in the terminate webhook. */
  readonly code?: number;
};

export type TimelineEntry = {
  readonly atMs: number;
  readonly what: string;
  readonly details?: string;
};

/** One request to `/calls` that named this call. */
export type GraphRecord = {
  readonly action: string;
  readonly atMs: number;
  readonly body: string;
  answeredAtMs: number | null;
  /** HTTP status, or null when the connection was cut on purpose. */
  status: number | null;
  response: string | null;
};

export type CallOptions = {
  readonly id: string;
  readonly wacid: string;
  /** The business number of the call. */
  readonly number: SimulatedNumber;
  /** The WhatsApp user, whoever called. */
  readonly caller: Caller;
  readonly media: MediaEndpoint;
  readonly limits: Limits;
  readonly faults: Faults;
  /** Called once, when the call has ended. */
  readonly onEnded: (call: SimulatedCall) => void;
  readonly onPhase?: ((call: SimulatedCall) => void) | undefined;
  /** What the user plays from the pickup on; undefined for a browser, which has its own microphone. */
  readonly play?: Signal | undefined;
  readonly now: () => number;
};

/** How often the media rules are looked at, as a share of the limit, and at most, in ms. */
const WATCH_SHARE = 0.1;
const WATCH_MS_MAX = 500;

/** One call of either direction. */
export abstract class SimulatedCall {
  abstract readonly direction: 'inbound' | 'outbound';
  readonly options: CallOptions;
  readonly faults: FaultBox;
  readonly createdAtMs: number;
  readonly timeline: TimelineEntry[] = [];
  readonly webhooks: WebhookRecord[] = [];
  readonly graph: GraphRecord[] = [];
  phase: Phase;
  opaque: string | undefined;
  acceptedAtMs: number | null = null;
  endedAtMs: number | null = null;
  ending: Ending | undefined;

  #watch: NodeJS.Timeout | undefined;
  #lastReport: ReturnType<MediaEndpoint['heard']> | undefined;

  constructor(options: CallOptions, phase: Phase) {
    this.options = options;
    this.phase = phase;
    this.faults = new FaultBox(options.faults);
    this.createdAtMs = options.now();
    this.note('created');
  }

  /** The SDP of the side that answered, once there is one. */
  abstract get answer(): string | undefined;

  /**
   * Does what a Graph request asks; requests to one call are carried out one after the other.
   *
   * @throws GraphError when Meta would refuse it; nothing has changed then
   */
  abstract act(action: CallAction, sdp?: string, opaque?: string): Promise<void>;

  /** What has to stop when the call ends; called before anybody is told. */
  protected abstract stop(): void;

  /** Adds a line to the timeline. */
  note(what: string, details?: string): void {
    this.timeline.push({ atMs: this.options.now(), what, ...(details ? { details } : {}) });
  }

  /** Ends the call; the first ending counts, later ones do nothing. */
  end(ending: Ending): void {
    if (this.phase === 'ended') return;
    this.stop();
    clearInterval(this.#watch);
    this.ending = ending;
    this.endedAtMs = this.options.now();
    this.#lastReport = this.options.media.heard();
    this.note('ended', `${ending.reason} by ${ending.by}`);
    this.enter('ended');
    this.options.media.close();
    this.options.onEnded(this);
  }

  /** What the user's phone heard, as of now or of the end of the call. */
  heard(): ReturnType<MediaEndpoint['heard']> {
    return this.#lastReport ?? this.options.media.heard();
  }

  /** Rules of Meta's that the business broke so far. */
  violations(): Violation[] {
    return violationsIn(this.heard(), this.options.media.payloadTypes);
  }

  /** From here on the two sides talk, and the business must send. */
  protected pickUp({ isWatched = true } = {}): void {
    const { media, play, now } = this.options;
    this.acceptedAtMs = now();
    media.markAccepted();
    if (play) media.startTalking(play);
    this.enter('live');
    if (!isWatched) return;
    const { firstMediaMs, silenceMs } = this.options.limits;
    const everyMs = Math.min(firstMediaMs, silenceMs) * WATCH_SHARE;
    this.#watch = setInterval(() => this.#checkMedia(), Math.min(WATCH_MS_MAX, everyMs));
  }

  protected enter(phase: Phase): void {
    this.phase = phase;
    this.options.onPhase?.(this);
  }

  /** Provider: "Troubleshooting", read 2026-06: RTCP alone keeps a running call alive, but does not start one. */
  #checkMedia(): void {
    const { firstMediaMs, silenceMs } = this.options.limits;
    const { lastPacketAtMs, lastRtcpAtMs } = this.options.media.heard();
    const acceptedAtMs = this.acceptedAtMs ?? 0;
    const limitMs = lastPacketAtMs === null ? firstMediaMs : silenceMs;
    const sinceMs =
      lastPacketAtMs === null
        ? acceptedAtMs
        : Math.max(acceptedAtMs, lastPacketAtMs, lastRtcpAtMs ?? 0);
    if (this.options.now() - sinceMs < limitMs) return;
    this.end({ by: 'platform', reason: 'no-media' });
  }
}

/** What Graph answers when the SDP of a request is refused; anything else is thrown again. */
export function asGraphError(error: unknown): GraphError {
  if (!(error instanceof SdpValidationError)) throw error;
  return new GraphError(400, error.code, 'SDP Validation error', error.details);
}
