// What one simulated phone hears: every packet is counted and judged, and its sound is searched for tones.
// No clock of its own: times come in with the packets.
import { numberOf } from './numbered.ts';
import { FRAME_TICKS, OpusDecoder, opusPacketMs } from './opus.ts';
import { findTones, loudnessDbfs } from './spectrum.ts';
import type { PayloadTypes } from './talking.ts';

/** A tone heard without interruption; times in ms since the epoch. */
export type ToneSpan = { hz: number; fromMs: number; toMs: number; dbfs: number };
/** A stretch of sound louder than silence. */
export type AudibleSpan = { fromMs: number; toMs: number };
/** A key pressed by the other side: in how many packets it came, and how many of them said that it was let go. */
export type DtmfHeard = {
  digit: string;
  atMs: number;
  durationMs: number;
  packets: number;
  ends: number;
};

/** One packet of media as it arrived. */
export type ArrivedPacket = {
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly payload: Buffer;
};

/** Everything a phone heard so far. Times are ms since the epoch; lists are bounded, counts are not. */
export type HeardReport = {
  packets: number;
  payloadBytes: number;
  firstPacketAtMs: number | null;
  lastPacketAtMs: number | null;
  /** First frame louder than silence. */
  firstAudioAtMs: number | null;
  /** RTP packets that came before the call was accepted: Meta's client takes them for an answer. */
  packetsBeforeAccept: number;
  rtcpPackets: number;
  rtcpBeforeAccept: number;
  /** RTCP packets by packet type (200 sender report, 201 receiver report, 203 goodbye ...). */
  rtcpTypes: Record<string, number>;
  lastRtcpAtMs: number | null;
  lost: number;
  /** Where they are missing: the first packet behind each gap. */
  losses: { atMs: number; packets: number; sequence: number }[];
  outOfOrder: number;
  duplicates: number;
  ssrcs: number[];
  payloadTypes: number[];
  /** Opus packets that do not play exactly 20 ms. */
  ptimeViolations: number;
  /** Audio that follows a packet directly but whose timestamp is not what it should be: 960 after a frame, the end of a key. */
  timestampJumps: { atMs: number; ticks: number }[];
  /** Pauses between packets longer than 60 ms. */
  arrivalGaps: { atMs: number; gapMs: number }[];
  tones: ToneSpan[];
  audible: AudibleSpan[];
  dtmf: DtmfHeard[];
};

/** Frames louder than this are sound. Coded silence decodes to less than -80. */
const AUDIBLE_DBFS = -50;
const ARRIVAL_GAP_MS = 60;
const WINDOW_FRAMES = 5;
const LIST_LENGTH_MAX = 2000;
/** Two findings this near are one tone. */
const SAME_TONE_HZ = 12;
/** Meta's own numbering; a business that calls brings its own. */
const OWN_TYPES: PayloadTypes = { opus: 111, events: 126 };
const DTMF_DIGITS = '0123456789*#ABCD';
/** RTP ticks of 48 kHz in one of a key's, at 8 kHz. */
const DTMF_TICKS = 6;

/** Listens to one RTP stream after decryption. */
export class Hearing {
  readonly #report: HeardReport = emptyReport();
  readonly #types: PayloadTypes;
  /** What numbered frames have said, in the order in which they came. */
  readonly numbers: number[] = [];
  #decoder: OpusDecoder | undefined;
  #accepted = false;
  /** `ends`: the timestamp at which what it holds is over. */
  #newest: { sequence: number; ends: number } | undefined;
  #recent: number[] = [];
  #window: { fromMs: number; pcm: Int16Array[] } = { fromMs: 0, pcm: [] };
  #dtmfTimestamp: number | undefined;

  /** @param decode false keeps only the counts, which is a tenth of the work */
  constructor(decode = true, types: PayloadTypes = OWN_TYPES) {
    this.#types = types;
    this.#decoder = decode ? new OpusDecoder() : undefined;
  }

  /** From now on packets are part of the call. */
  markAccepted(): void {
    this.#accepted = true;
  }

  hearRtp(packet: ArrivedPacket, atMs: number): void {
    const report = this.#report;
    if (!this.#accepted) report.packetsBeforeAccept++;
    report.packets++;
    report.payloadBytes += packet.payload.length;
    report.firstPacketAtMs ??= atMs;
    this.#noteArrival(atMs);
    if (!report.ssrcs.includes(packet.ssrc)) report.ssrcs.push(packet.ssrc);
    if (!report.payloadTypes.includes(packet.payloadType)) {
      report.payloadTypes.push(packet.payloadType);
    }
    if (this.#order(packet, atMs) === 'repeated') return;
    if (packet.payloadType === this.#types.events) this.#hearDtmf(packet, atMs);
    else if (packet.payloadType === this.#types.opus) this.#hearAudio(packet.payload, atMs);
  }

  /** @param compound one decrypted compound packet. Spec: RFC 3550 section 6.1 */
  hearRtcp(compound: Buffer, atMs: number): void {
    const report = this.#report;
    report.lastRtcpAtMs = atMs;
    for (let offset = 0; offset + 4 <= compound.length;) {
      const type = compound.readUInt8(offset + 1);
      report.rtcpPackets++;
      if (!this.#accepted) report.rtcpBeforeAccept++;
      report.rtcpTypes[type] = (report.rtcpTypes[type] ?? 0) + 1;
      offset += 4 * (compound.readUInt16BE(offset + 2) + 1);
    }
  }

  /** A copy of the findings so far. */
  report(): HeardReport {
    return structuredClone(this.#report);
  }

  /** Packets that never came, so far. */
  get lost(): number {
    return this.#report.lost;
  }

  /** Frees the codec; packets that still come are counted but not decoded. Safe to repeat. */
  close(): void {
    this.#decoder?.close();
    this.#decoder = undefined;
  }

  #noteArrival(atMs: number): void {
    const report = this.#report;
    const gapMs = report.lastPacketAtMs === null ? 0 : atMs - report.lastPacketAtMs;
    if (gapMs > ARRIVAL_GAP_MS) push(report.arrivalGaps, { atMs, gapMs });
    report.lastPacketAtMs = atMs;
  }

  /** Judges sequence number and timestamp against the newest packet so far. Spec: RFC 3550 section 5.1, both wrap. */
  #order(packet: ArrivedPacket, atMs: number): 'new' | 'late' | 'repeated' {
    const report = this.#report;
    const { sequence, timestamp, payloadType } = packet;
    if (this.#recent.includes(sequence)) {
      report.duplicates++;
      return 'repeated';
    }
    this.#recent = [...this.#recent.slice(-63), sequence];
    const newest = this.#newest;
    const step = newest ? ((sequence - newest.sequence + 0x1_8000) & 0xffff) - 0x8000 : 1;
    if (step < 0) {
      report.outOfOrder++;
      report.lost = Math.max(0, report.lost - 1);
      return 'late';
    }
    report.lost += step - 1;
    if (step > 1) push(report.losses, { atMs, packets: step - 1, sequence });
    const isAudio = payloadType === this.#types.opus;
    const ticks = newest ? (timestamp - newest.ends + FRAME_TICKS) | 0 : FRAME_TICKS;
    if (step === 1 && isAudio && ticks !== FRAME_TICKS) {
      push(report.timestampJumps, { atMs, ticks });
    }
    this.#newest = { sequence, ends: timestamp + this.#ticksOf(packet) };
    return 'new';
  }

  /** How long a packet lasts on the clock of the audio, which key presses share. */
  #ticksOf({ payloadType, payload }: ArrivedPacket): number {
    const isKey = payloadType === this.#types.events && payload.length >= 4;
    return isKey ? payload.readUInt16BE(2) * DTMF_TICKS : FRAME_TICKS;
  }

  #hearAudio(payload: Buffer, atMs: number): void {
    const report = this.#report;
    if (opusPacketMs(payload) !== 20) report.ptimeViolations++;
    const number = numberOf(payload);
    if (number !== undefined) push(this.numbers, number);
    const pcm = this.#decoder?.decode(payload);
    if (!pcm) return;
    if (loudnessDbfs(pcm) > AUDIBLE_DBFS) {
      report.firstAudioAtMs ??= atMs;
      const last = report.audible.at(-1);
      if (last && atMs - last.toMs < ARRIVAL_GAP_MS) last.toMs = atMs + 20;
      else push(report.audible, { fromMs: atMs, toMs: atMs + 20 });
    }
    this.#fillWindow(pcm, atMs);
  }

  #fillWindow(pcm: Int16Array, atMs: number): void {
    const window = this.#window;
    if (window.pcm.length === 0) window.fromMs = atMs;
    window.pcm.push(pcm);
    if (window.pcm.length < WINDOW_FRAMES) return;
    const sound = new Int16Array(window.pcm.reduce((sum, frame) => sum + frame.length, 0));
    let offset = 0;
    for (const frame of window.pcm) {
      sound.set(frame, offset);
      offset += frame.length;
    }
    this.#window = { fromMs: 0, pcm: [] };
    if (sound.length > 2048) return;
    for (const tone of findTones(sound, OpusDecoder.sampleRateHz)) {
      this.#noteTone(tone.hz, tone.dbfs, window.fromMs, atMs + 20);
    }
  }

  #noteTone(hz: number, dbfs: number, fromMs: number, toMs: number): void {
    const span = this.#report.tones.findLast(
      (known) => Math.abs(known.hz - hz) <= SAME_TONE_HZ && fromMs - known.toMs < ARRIVAL_GAP_MS,
    );
    if (span) span.toMs = toMs;
    else push(this.#report.tones, { hz: Math.round(hz), fromMs, toMs, dbfs: Math.round(dbfs) });
  }

  /** Spec: RFC 4733 section 2.3: packets of one key share a timestamp; the duration grows, in ticks of 8 kHz. */
  #hearDtmf(packet: ArrivedPacket, atMs: number): void {
    if (packet.payload.length < 4) return;
    const durationMs = packet.payload.readUInt16BE(2) / 8;
    const ends = packet.payload.readUInt8(1) >> 7;
    const last = this.#report.dtmf.at(-1);
    if (last && this.#dtmfTimestamp === packet.timestamp) {
      last.durationMs = Math.max(last.durationMs, durationMs);
      last.packets += 1;
      last.ends += ends;
      return;
    }
    this.#dtmfTimestamp = packet.timestamp;
    const digit = DTMF_DIGITS[packet.payload.readUInt8(0)] ?? '?';
    push(this.#report.dtmf, { digit, atMs, durationMs, packets: 1, ends });
  }
}

/**
 * How much of a stretch of time a tone was heard, 0 to 1.
 *
 * @param toleranceHz how far the heard frequency may be off
 */
export function shareOfTone(
  report: HeardReport,
  hz: number,
  fromMs: number,
  toMs: number,
  toleranceHz = 10,
): number {
  let heardMs = 0;
  let countedToMs = fromMs;
  const spans = report.tones
    .filter((span) => Math.abs(span.hz - hz) <= toleranceHz)
    .sort((one, other) => one.fromMs - other.fromMs);
  for (const span of spans) {
    const from = Math.max(span.fromMs, countedToMs);
    const to = Math.min(span.toMs, toMs);
    if (to <= from) continue;
    heardMs += to - from;
    countedToMs = to;
  }
  return heardMs / (toMs - fromMs);
}

function push<Item>(list: Item[], item: Item): void {
  if (list.length === LIST_LENGTH_MAX) list.shift();
  list.push(item);
}

/** A report of nothing. */
export function emptyReport(): HeardReport {
  return {
    packets: 0,
    payloadBytes: 0,
    firstPacketAtMs: null,
    lastPacketAtMs: null,
    firstAudioAtMs: null,
    packetsBeforeAccept: 0,
    rtcpPackets: 0,
    rtcpBeforeAccept: 0,
    rtcpTypes: {},
    lastRtcpAtMs: null,
    lost: 0,
    losses: [],
    outOfOrder: 0,
    duplicates: 0,
    ssrcs: [],
    payloadTypes: [],
    ptimeViolations: 0,
    timestampJumps: [],
    arrivalGaps: [],
    tones: [],
    audible: [],
    dtmf: [],
  };
}
