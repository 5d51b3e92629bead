// Meta's media endpoint of one simulated call: ICE-lite, DTLS-SRTP, Opus. It plays a known signal and reports what it heard.
import { parseAnswer, type Answer } from './answer.ts';
import { parseOffer, type BusinessOffer } from './business-offer.ts';
import { whoStartsDtls } from './dtls-role.ts';
import { Hearing, shareOfTone, type HeardReport } from './hearing.ts';
import { IceLiteAgent, type IceCounts } from './ice-lite.ts';
import { writeDocumentedOffer, writeOffer } from './offer.ts';
import { lastReportOf, writeSenderReport } from './rtcp.ts';
import { localIdentity, SecureMedia, type Identity } from './secure-media.ts';
import { DEFAULT_SIGNAL, loopOf, type Signal } from './signals.ts';
import { Talking } from './talking.ts';

export { SdpValidationError } from './answer.ts';
export { shareOfTone, type HeardReport } from './hearing.ts';
export type { Signal } from './signals.ts';

/** How a phone differs from the usual one. */
export type LitePhoneOptions = {
  /** IPv4 address for media, default 127.0.0.1. */
  bind?: string;
  /** UDP port, default any free one. */
  port?: number;
  /** UDP port to offer instead of its own, of a path that leads there. */
  offeredPort?: number;
  /** So many checks are refused with 487 before one is answered, as by a peer that claims the same role. Default none. */
  roleConflicts?: number;
  /** What `startTalking` plays when it is not told, default a 440 Hz tone. */
  play?: Signal;
  /** `wire` (default) is what captures show; `documented` is the older sample of Meta's documentation. */
  shape?: 'wire' | 'documented';
  /** An IPv6 address to offer as well; nothing listens there. Default none. */
  ipv6?: string;
  /** What becomes of an Opus frame on its way, by its number from 0: other bytes, or null when it is lost. Default itself. */
  onWay?: (frame: Buffer, number: number) => Buffer | null;
  /** false keeps counts but decodes no audio, for load tests. Default true. */
  listen?: boolean;
  /** ms since the epoch, monotonic; default the process's clock. */
  now?: () => number;
};

// Spec: RFC 3550 section 6.2: half the minimum interval of 5 s for the first report.
const FIRST_REPORT_MS = 2500;
const REPORT_INTERVAL_MS = 5000;

/** What a phone that is called does differently. */
export type AnsweringOptions = LitePhoneOptions & {
  /** The role in Meta's answer, default passive; `actpass` takes whichever is left. An offer of `active` forces passive. */
  setup?: 'active' | 'passive' | 'actpass';
};

const OWN_TYPES = { opus: 111, events: 126 };
const processClock = () => performance.timeOrigin + performance.now();

/**
 * One simulated call's media.
 *
 * Give `offer` to the business, its answer to `applyAnswer`; checks are answered only from then on, as Meta does. The phone
 * sends nothing until `startTalking`. It never sends a connectivity check.
 */
export class LitePhone {
  /** The SDP offer for the `connect` webhook; in a phone that is called, the business's. */
  readonly offer: string;
  /** In a phone that is called, Meta's SDP answer for the `connect` webhook. */
  readonly answer: string | null;
  /** Payload types of this call's Opus and key presses; a business that calls chooses them. */
  readonly payloadTypes: { readonly opus: number; readonly events: number | undefined };
  /** Settles when ICE and DTLS are up; rejects when the handshake fails. Pending for ever if nobody answers. */
  readonly connected: Promise<void>;
  /** When `connected` settled, ms since the epoch. */
  connectedAtMs: number | null = null;

  readonly #agent: IceLiteAgent;
  readonly #now: () => number;
  readonly #hearing: Hearing;
  readonly #talking: Talking;
  readonly #play: Signal;
  #media: SecureMedia | undefined;
  #answer: Answer | undefined;
  #warnings: readonly string[] = [];
  #octetsSent = 0;
  #lastSent = { timestamp: 0 };
  #lastReport = { middle: 0, atMs: 0 };
  #newest = { ssrc: 0, sequence: -1, cycles: 0 };
  #reports: NodeJS.Timeout | undefined;
  #settle: { resolve: () => void; reject: (reason: unknown) => void } | undefined;

  private constructor(
    agent: IceLiteAgent,
    fingerprint: string,
    options: AnsweringOptions,
    called?: { sdp: string; business: BusinessOffer },
  ) {
    this.#agent = agent;
    agent.roleConflicts = options.roleConflicts ?? 0;
    this.#now = options.now ?? processClock;
    this.#play = options.play ?? DEFAULT_SIGNAL;
    // Encoding takes some 40 ms the first time; done now, it does not delay the accept.
    loopOf(this.#play);
    this.payloadTypes = called?.business ?? OWN_TYPES;
    this.#hearing = new Hearing(options.listen ?? true, this.payloadTypes);
    let frames = 0;
    this.#talking = new Talking((header, payload) => {
      this.#octetsSent += payload.length;
      this.#lastSent = { timestamp: header.timestamp };
      const arriving = options.onWay ? options.onWay(payload, frames++) : payload;
      if (arriving) this.#media?.sendRtp(header, arriving);
    }, this.#now);
    this.#talking.payloadTypes = this.payloadTypes;
    const write = options.shape === 'documented' ? writeDocumentedOffer : writeOffer;
    const text = write({
      host: options.bind ?? '127.0.0.1',
      port: options.offeredPort ?? agent.port,
      ufrag: agent.ufrag,
      password: agent.password,
      fingerprint,
      ssrc: this.#talking.ssrc,
      nowMs: Math.round(this.#now()),
      ipv6: options.ipv6,
      ...(called
        ? { answering: { ...called.business, setup: roleInAnswer(called, options) } }
        : {}),
    });
    this.offer = called?.sdp ?? text;
    this.answer = called ? text : null;
    this.connected = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // Whoever does not wait for the connection must not be ended by its failure.
    this.connected.catch(() => {});
  }

  static async create(options: LitePhoneOptions = {}): Promise<LitePhone> {
    const agent = await IceLiteAgent.create(options.bind ?? '127.0.0.1', options.port);
    return new LitePhone(agent, (await localIdentity()).fingerprint, options);
  }

  /**
   * A phone that a business calls: it has the business's offer and answers checks at once.
   *
   * @param sdp the business's offer
   * @throws SdpValidationError when Meta would refuse the offer
   */
  static async answering(sdp: string, options: AnsweringOptions = {}): Promise<LitePhone> {
    const business = parseOffer(sdp);
    const identity = await localIdentity();
    const agent = await IceLiteAgent.create(options.bind ?? '127.0.0.1', options.port);
    const phone = new LitePhone(agent, identity.fingerprint, options, { sdp, business });
    phone.#warnings = business.warnings;
    const setup = roleInAnswer({ business }, options);
    if (setup === 'actpass') {
      void whoStartsDtls(agent).then(({ role, backlog }) => {
        phone.#secure(identity, role, business.fingerprint);
        for (const datagram of backlog) agent.onDatagram(datagram);
      });
    } else phone.#secure(identity, setup === 'active' ? 'client' : 'server', business.fingerprint);
    agent.start(business.ufrag);
    return phone;
  }

  /**
   * Takes the business's answer, once; repeating the same text does nothing.
   *
   * @throws SdpValidationError when Meta would refuse the answer; the phone then still waits for a valid one
   * @throws Error when another answer was applied before
   */
  async applyAnswer(sdp: string): Promise<void> {
    const answer = parseAnswer(sdp);
    if (this.#media) {
      if (JSON.stringify(answer) === JSON.stringify(this.#answer)) return;
      throw new Error('another answer was applied before');
    }
    const identity = await localIdentity();
    this.#answer = answer;
    this.#warnings = answer.warnings;
    this.#secure(identity, answer.setup === 'active' ? 'server' : 'client', answer.fingerprint);
    this.#agent.start(answer.ufrag);
  }

  #secure(identity: Identity, role: 'server' | 'client', fingerprint: string): void {
    const media = new SecureMedia(this.#agent, identity, role, fingerprint);
    this.#media = media;
    media.onRtp = ({ header, payload }) => this.#hearRtp(header, payload);
    media.onRtcp = (compound) => this.#hearRtcp(compound);
    media.connected.then(
      () => {
        this.connectedAtMs = this.#now();
        this.#settle?.resolve();
      },
      (reason: unknown) => this.#settle?.reject(reason),
    );
  }

  /** What Meta would tolerate in the business's SDP but recommends against. */
  get answerWarnings(): readonly string[] {
    return this.#warnings;
  }

  /** From now on what the business sends is part of the call, not early media. */
  markAccepted(): void {
    this.#hearing.markAccepted();
  }

  /** Starts sending RTP, or changes what is sent. */
  startTalking(signal: Signal = this.#play): void {
    this.#talking.play(signal);
    this.#reports ??= this.#reportAfter(FIRST_REPORT_MS);
  }

  /** The same with frames that say their number, from 0 on. */
  startCounting(): void {
    this.#talking.count();
    this.#reports ??= this.#reportAfter(FIRST_REPORT_MS);
  }

  /** How many frames have said their number. */
  get counted(): number {
    return this.#talking.counted;
  }

  /** What the other side's numbered frames have said, in the order in which they came; the first 2,000. */
  get numbersHeard(): readonly number[] {
    return this.#hearing.numbers;
  }

  /** Falls silent but keeps sending frames, as a phone whose owner listens. */
  stopTalking(): void {
    this.#talking.play({ kind: 'silence' });
  }

  /**
   * Stops sending RTP and RTCP, as a phone without network. Checks are still answered.
   *
   * @param keepReports true goes on with RTCP, as a phone whose voice gets lost on the way
   */
  stopSending(keepReports = false): void {
    this.#talking.stop();
    if (keepReports) return;
    clearTimeout(this.#reports);
    this.#reports = undefined;
  }

  /** Presses keys while talking. @param digits of `0-9*#A-D` @param ms how long each is held, default 160 */
  press(digits: string, ms?: number): void {
    this.#talking.press(digits, ms);
  }

  /** Everything heard so far. */
  heard(): HeardReport {
    return this.#hearing.report();
  }

  /** How much of a stretch of time the phone heard a tone, 0 to 1. Times in ms since the epoch. */
  shareHeard(hz: number, fromMs: number, toMs: number): number {
    return shareOfTone(this.#hearing.report(), hz, fromMs, toMs);
  }

  /** What was sent: packets, and the time of the first, ms since the epoch. */
  said(): { packets: number; firstPacketAtMs: number | null; ssrc: number } {
    const { packetsSent, firstSentAtMs, ssrc } = this.#talking;
    return { packets: packetsSent, firstPacketAtMs: firstSentAtMs, ssrc };
  }

  /** The UDP port that it listens on. */
  get port(): number {
    return this.#agent.port;
  }

  /** What the ICE agent saw. */
  ice(): IceCounts {
    return { ...this.#agent.counts };
  }

  /** Frees the port and the codec. The report stays readable. Safe to repeat. */
  close(): void {
    this.stopSending();
    this.#agent.close();
    this.#hearing.close();
    this.#settle?.reject(new Error('the phone was closed'));
  }

  #hearRtp(
    header: { payloadType: number; sequenceNumber: number; timestamp: number; ssrc: number },
    payload: Buffer,
  ): void {
    const { payloadType, sequenceNumber: sequence, timestamp, ssrc } = header;
    const newest = this.#newest;
    const step = (sequence - newest.sequence) & 0xffff;
    if (newest.sequence < 0 || (step > 0 && step < 0x8000)) {
      const wrapped = newest.sequence > sequence ? 1 : 0;
      this.#newest = { ssrc, sequence, cycles: newest.cycles + wrapped };
    }
    this.#hearing.hearRtp({ payloadType, sequence, timestamp, ssrc, payload }, this.#now());
  }

  #hearRtcp(compound: Buffer): void {
    const middle = lastReportOf(compound);
    if (middle !== undefined) this.#lastReport = { middle, atMs: this.#now() };
    this.#hearing.hearRtcp(compound, this.#now());
  }

  #reportAfter(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#sendReport();
      this.#reports = this.#reportAfter(REPORT_INTERVAL_MS);
    }, delayMs);
  }

  #sendReport(): void {
    const nowMs = this.#now();
    const { ssrc, packetsSent: packets } = this.#talking;
    const own = {
      ssrc,
      rtpTimestamp: this.#lastSent.timestamp,
      packets,
      octets: this.#octetsSent,
    };
    const { middle, atMs } = this.#lastReport;
    const heard =
      this.#newest.sequence < 0
        ? undefined
        : {
            ssrc: this.#newest.ssrc,
            highestSequence: this.#newest.cycles * 0x10000 + this.#newest.sequence,
            lost: this.#hearing.lost,
            lastReport: middle,
            sinceLastReportMs: middle ? nowMs - atMs : 0,
          };
    this.#media?.sendRtcp(writeSenderReport(own, heard, nowMs));
  }
}

/** Spec: RFC 5763 section 5: an offer of active leaves the answer only passive. */
function roleInAnswer(called: { business: BusinessOffer }, options: AnsweringOptions) {
  return called.business.setup === 'active' ? 'passive' : (options.setup ?? 'passive');
}
