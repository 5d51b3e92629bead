// One simulated user-initiated call: its phase, its clocks, and everything that happened to it.
import { SdpValidationError } from './answer.ts';
import { judge, type CallAction, type Phase } from './call-rules.ts';
import type { WebhookRecord } from './delivery.ts';
import { FaultBox, type Faults } from './faults.ts';
import { GraphError } from './graph-error.ts';
import { violationsIn, type MediaEndpoint, type Violation } from './media.ts';
import type { Signal } from './signals.ts';
import type { CallEvent, Caller } from './wire.ts';

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

/** Observed: capture of 2025-10-17, the text of 138021 is the same in `title` and `message`. */
export const MEDIA_TIMEOUT = {
  code: 138021,
  title:
    'WhatsApp client terminated the call due to not receiving any media for a long time. Please try again',
  message:
    'WhatsApp client terminated the call due to not receiving any media for a long time. Please try again',
} as const;

/** Who ended a call, and how. `caller` hung up; `platform` is Meta itself, by a limit. */
export type Ending = {
  readonly by: 'business' | 'caller' | 'platform';
  readonly reason: 'reject' | 'terminate' | 'hangup' | 'no-answer' | 'no-media' | 'shutdown';
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
  readonly caller: Caller;
  readonly media: MediaEndpoint;
  readonly limits: Limits;
  readonly faults: Faults;
  /** Called once, when the call has ended. */
  readonly onEnded: (call: SimulatedCall) => void;
  readonly onPhase?: ((call: SimulatedCall) => void) | undefined;
  /** Extra fields of both webhooks, such as `cta_payload`. */
  readonly extra: CallEvent;
  /** What the caller plays from the accept on; undefined for a browser, which has its own microphone. */
  readonly play?: Signal | undefined;
  readonly now: () => number;
};

/** How often the media rules are looked at, as a share of the limit, and at most, in ms. */
const WATCH_SHARE = 0.1;
const WATCH_MS_MAX = 500;

export class SimulatedCall {
  readonly options: CallOptions;
  readonly faults: FaultBox;
  readonly createdAtMs: number;
  readonly timeline: TimelineEntry[] = [];
  readonly webhooks: WebhookRecord[] = [];
  readonly graph: GraphRecord[] = [];
  phase: Phase = 'offered';
  answer: string | undefined;
  opaque: string | undefined;
  acceptedAtMs: number | null = null;
  endedAtMs: number | null = null;
  ending: Ending | undefined;

  #turn: Promise<void> = Promise.resolve();
  readonly #answerTimer: NodeJS.Timeout;
  #watch: NodeJS.Timeout | undefined;
  #lastReport: ReturnType<MediaEndpoint['heard']> | undefined;

  constructor(options: CallOptions) {
    this.options = options;
    this.faults = new FaultBox(options.faults);
    this.createdAtMs = options.now();
    this.note('created');
    this.#answerTimer = setTimeout(() => {
      this.end({ by: 'platform', reason: 'no-answer' });
    }, options.limits.answerMs);
  }

  /** Adds a line to the timeline. */
  note(what: string, details?: string): void {
    this.timeline.push({ atMs: this.options.now(), what, ...(details ? { details } : {}) });
  }

  /**
   * Does what a Graph request asks; requests to one call are carried out one after the other.
   *
   * @throws GraphError when Meta would refuse it; nothing has changed then
   */
  act(action: CallAction, sdp?: string, opaque?: string): Promise<void> {
    const turn = this.#turn.then(() => this.#act(action, sdp, opaque));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #act(action: CallAction, sdp?: string, opaque?: string): Promise<void> {
    const verdict = judge(this, action, sdp);
    if (verdict instanceof GraphError) throw verdict;
    if (sdp !== undefined && this.answer === undefined) await this.#applyAnswer(sdp);
    // While the answer was applied the caller may have hung up.
    const again = judge({ phase: this.phase, answer: undefined }, action, sdp);
    if (again instanceof GraphError) throw again;
    this.opaque = opaque ?? this.opaque;
    this.note(action);
    if (action === 'pre_accept') this.#enter('prepared');
    else if (action === 'accept') this.#accept();
    else this.end({ by: 'business', reason: action });
  }

  /** Ends the call; the first ending counts, later ones do nothing. */
  end(ending: Ending): void {
    if (this.phase === 'ended') return;
    clearTimeout(this.#answerTimer);
    clearInterval(this.#watch);
    this.ending = ending;
    this.endedAtMs = this.options.now();
    this.#lastReport = this.options.media.heard();
    this.note('ended', `${ending.reason} by ${ending.by}`);
    this.#enter('ended');
    this.options.media.close();
    this.options.onEnded(this);
  }

  /** What the caller heard, as of now or of the end of the call. */
  heard(): ReturnType<MediaEndpoint['heard']> {
    return this.#lastReport ?? this.options.media.heard();
  }

  /** Rules of Meta's that the business broke so far. */
  violations(): Violation[] {
    return violationsIn(this.heard());
  }

  async #applyAnswer(sdp: string): Promise<void> {
    try {
      await this.options.media.applyAnswer(sdp);
    } catch (error) {
      if (!(error instanceof SdpValidationError)) throw error;
      throw new GraphError(400, error.code, 'SDP Validation error', error.details);
    }
    this.answer = sdp;
  }

  #accept(): void {
    clearTimeout(this.#answerTimer);
    const { media, play, now } = this.options;
    this.acceptedAtMs = now();
    media.markAccepted();
    if (play) media.startTalking(play);
    this.#enter('live');
    const { firstMediaMs, silenceMs } = this.options.limits;
    const everyMs = Math.min(firstMediaMs, silenceMs) * WATCH_SHARE;
    this.#watch = setInterval(() => this.#checkMedia(), Math.min(WATCH_MS_MAX, everyMs));
  }

  #enter(phase: Phase): void {
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
    if (this.options.now() - sinceMs >= limitMs) this.end({ by: 'platform', reason: 'no-media' });
  }
}
