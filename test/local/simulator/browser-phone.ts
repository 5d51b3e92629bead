// A person's browser as the caller's media endpoint. The simulator only translates SDP; audio never passes through it.
import { parseAnswer, SdpValidationError } from './answer.ts';
import { emptyReport, type HeardReport } from './hearing.ts';
import type { MediaEndpoint } from './media.ts';
import { writeOfferText } from './offer.ts';

/** What the page is told. */
export type PageMessage =
  | { readonly type: 'answer'; readonly sdp: string }
  | { readonly type: 'state'; readonly state: string; readonly reason?: string };

/** What the page measures of what it hears. */
export type PageStatistics = { readonly connected: boolean; readonly packetsReceived: number };

type Section = { readonly mid: string; readonly opus: string; readonly events: string | undefined };

/** One call from the page. A browser is a full ICE agent, so its offer carries no `a=ice-lite`. */
export class BrowserPhone implements MediaEndpoint {
  readonly offer: string;
  connectedAtMs: number | null = null;
  answerWarnings: readonly string[] = [];
  readonly #now: () => number;
  readonly #section: Section;
  readonly #heard: HeardReport = emptyReport();
  #waiting: PageMessage[] = [];
  /** Where messages for the page go; those that come earlier wait. */
  #deliver: ((message: PageMessage) => void) | undefined;
  #accepted = false;

  /** @throws SdpValidationError when the browser's offer has no audio with Opus */
  constructor(browserOffer: string, now: () => number) {
    this.#now = now;
    this.#section = sectionOf(browserOffer);
    this.offer = asMetaOffer(browserOffer, this.#section, now());
  }

  /** Connects the page. */
  attach(deliver: (message: PageMessage) => void): void {
    this.#deliver = deliver;
    for (const message of this.#waiting) deliver(message);
    this.#waiting = [];
  }

  get isAttached(): boolean {
    return this.#deliver !== undefined;
  }

  tell(message: PageMessage): void {
    if (this.#deliver) this.#deliver(message);
    else this.#waiting.push(message);
  }

  /** Takes what the page measured; it stands in for hearing the packets. */
  measured(statistics: PageStatistics): void {
    const heard = this.#heard;
    if (statistics.connected) this.connectedAtMs ??= this.#now();
    const more = statistics.packetsReceived - heard.packets;
    if (more <= 0) return;
    heard.packets += more;
    heard.firstPacketAtMs ??= this.#now();
    heard.lastPacketAtMs = this.#now();
    if (!this.#accepted) heard.packetsBeforeAccept += more;
  }

  applyAnswer(sdp: string): Promise<void> {
    const { mid, opus, events } = this.#section;
    this.answerWarnings = parseAnswer(sdp, { opus, events }).warnings;
    const translated = sdp
      .replace('a=group:BUNDLE audio', `a=group:BUNDLE ${mid}`)
      .replace('a=mid:audio', `a=mid:${mid}`);
    this.tell({ type: 'answer', sdp: translated });
    return Promise.resolve();
  }

  markAccepted(): void {
    this.#accepted = true;
  }

  heard(): HeardReport {
    return structuredClone(this.#heard);
  }

  /** The microphone is the person's; these four do nothing. */
  startTalking(): void {}
  stopTalking(): void {}
  stopSending(): void {}
  press(): void {}
  close(): void {}
}

function sectionOf(sdp: string): Section {
  const media = /^m=audio .*$/m.exec(sdp);
  const opus = /^a=rtpmap:(\d+) opus\/48000\/2\r?$/im.exec(sdp)?.[1];
  const events = /^a=rtpmap:(\d+) telephone-event\/8000\r?$/im.exec(sdp)?.[1];
  const mid = /^a=mid:(\S+)/m.exec(sdp)?.[1];
  if (!media || !opus || !mid) {
    throw new SdpValidationError(100, 'the browser offers no audio with Opus');
  }
  return { mid, opus, events };
}

/** Puts what is the browser's own into the text that Meta would send. */
function asMetaOffer(sdp: string, section: Section, nowMs: number): string {
  const value = (name: string) => new RegExp(`^a=${name}:(.+?)\\r?$`, 'm').exec(sdp)?.[1] ?? '';
  const candidates = [...sdp.matchAll(/^a=candidate:(\S+ 1 udp \S+ (\S+) (\d+) typ .+?)\r?$/gim)];
  const usable = candidates.filter((candidate) => /^[\d.]+$/.test(candidate[2] ?? ''));
  return writeOfferText({
    isLite: false,
    nowMs,
    host: usable[0]?.[2] ?? '0.0.0.0',
    port: Number(usable[0]?.[3] ?? 9),
    candidates: usable.map((candidate) => `a=candidate:${candidate[1] ?? ''}`),
    ufrag: value('ice-ufrag'),
    password: value('ice-pwd'),
    fingerprint: value('fingerprint').replace(/^sha-256 /i, ''),
    ssrc: Number.parseInt(value('ssrc'), 10) || 1,
    opus: section.opus,
    events: section.events,
  });
}
