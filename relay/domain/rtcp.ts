// RTCP: what a leg sends about its own stream, a compound packet of sender report and name with one reception report; and what the
// other side's reports say.
import { readUint16, readUint32, writeUint32 } from './rtp.ts';

/** How often a leg reports, in ms. Spec: RFC 3550 section 6.2, at least 5 s between reports of a low-rate session. */
export const REPORT_INTERVAL_MS = 5_000;

/** What a receiver has counted of one stream. Spec: RFC 3550 section 6.4.1. */
export type Reception = {
  ssrc: number;
  /** Share of packets lost since the report before, 0 to 255 standing for 0 to 1. */
  fractionLost: number;
  /** Packets lost since the start, -2^23 to 2^23 - 1. */
  cumulativeLost: number;
  /** Highest sequence number, extended by the count of its wraps. */
  highestSequence: number;
  /** Interarrival jitter in RTP ticks. */
  jitterTicks: number;
};

/** What it tells the sender of that stream: with it the sender knows the round-trip time. */
export type ReceptionReport = Reception & {
  /** Middle 32 bits of the NTP time in the last sender report that came, 0 if none did. */
  lastReport: number;
  /** How long ago that was, in 1/65536 s. */
  sinceLastReport: number;
};

export type SenderReport = {
  ssrc: number;
  cname: string;
  /** Wall clock in ms since 1970. */
  nowMs: number;
  /** The RTP timestamp that belongs to `nowMs`. */
  timestamp: number;
  packets: number;
  /** Payload bytes. */
  octets: number;
  reception?: ReceptionReport | undefined;
};

/** Seconds from 1900 (NTP) to 1970. Spec: RFC 5905 section 6. */
const NTP_EPOCH_OFFSET_S = 2_208_988_800;

const PACKET_TYPE_SENDER_REPORT = 200;
const PACKET_TYPE_RECEIVER_REPORT = 201;
const PACKET_TYPE_SOURCE_DESCRIPTION = 202;

/**
 * Writes a compound packet: sender report and source description.
 * Spec: RFC 3550 sections 6.1 (a compound starts with a report and names its source), 6.4.1, 6.5.
 */
export function writeSenderReport(report: SenderReport): Uint8Array {
  const blocks = report.reception ? 1 : 0;
  const reportBytes = 28 + 24 * blocks;
  const name = Array.from(report.cname, (char) => char.charCodeAt(0) & 0x7f);
  // SSRC, item type and length, the name, then at least one zero that ends the list, up to a whole word.
  const chunkBytes = (4 + 2 + name.length + 1 + 3) & ~3;
  const bytes = new Uint8Array(reportBytes + 4 + chunkBytes);

  writeHead(bytes, 0, PACKET_TYPE_SENDER_REPORT, blocks, reportBytes);
  writeUint32(bytes, 4, report.ssrc);
  const seconds = Math.floor(report.nowMs / 1000);
  writeUint32(bytes, 8, seconds + NTP_EPOCH_OFFSET_S);
  writeUint32(bytes, 12, ((report.nowMs - seconds * 1000) / 1000) * 0x1_0000_0000);
  writeUint32(bytes, 16, report.timestamp);
  writeUint32(bytes, 20, report.packets);
  writeUint32(bytes, 24, report.octets);
  if (report.reception) writeReception(bytes, 28, report.reception);

  writeHead(bytes, reportBytes, PACKET_TYPE_SOURCE_DESCRIPTION, 1, 4 + chunkBytes);
  writeUint32(bytes, reportBytes + 4, report.ssrc);
  bytes[reportBytes + 8] = 1; // CNAME
  bytes[reportBytes + 9] = name.length;
  bytes.set(name, reportBytes + 10);
  return bytes;
}

function writeHead(into: Uint8Array, at: number, type: number, count: number, bytes: number): void {
  into[at] = 0x80 | count;
  into[at + 1] = type;
  const words = bytes / 4 - 1;
  into[at + 2] = words >> 8;
  into[at + 3] = words;
}

function writeReception(into: Uint8Array, at: number, reception: ReceptionReport): void {
  writeUint32(into, at, reception.ssrc);
  writeUint32(into, at + 4, Math.min(reception.cumulativeLost, 0x7f_ffff));
  into[at + 4] = reception.fractionLost;
  writeUint32(into, at + 8, reception.highestSequence);
  writeUint32(into, at + 12, reception.jitterTicks);
  writeUint32(into, at + 16, reception.lastReport);
  writeUint32(into, at + 20, reception.sinceLastReport);
}

/** What a compound packet tells; each may be there several times. */
export type RtcpHandlers = {
  /** A sender report. `middle`: the middle 32 bits of its NTP time, by which a reception report names it. */
  onSender: (ssrc: number, middle: number) => void;
  onReception: (report: ReceptionReport) => void;
};

/**
 * Reads the reports of a compound packet, or of a packet alone (RFC 5506). Everything else in it is passed over; from the first
 * packet on that is not whole, nothing is read.
 */
export function readReports(bytes: Uint8Array, { onSender, onReception }: RtcpHandlers): void {
  for (let at = 0; at + 8 <= bytes.length;) {
    const head = bytes[at] ?? 0;
    const type = bytes[at + 1] ?? 0;
    // Spec: RFC 3550 section 6.4.1, the length is in words, less one.
    const end = at + 4 * (readUint16(bytes, at + 2) + 1);
    if (head >> 6 !== 2 || end > bytes.length) return;
    const isSender = type === PACKET_TYPE_SENDER_REPORT;
    let block = at + (isSender ? 28 : 8);
    if (isSender && block <= end) onSender(readUint32(bytes, at + 4), readUint32(bytes, at + 10));
    if (isSender || type === PACKET_TYPE_RECEIVER_REPORT) {
      for (let left = head & 0x1f; left > 0 && block + 24 <= end; left--, block += 24)
        onReception(readReception(bytes, block));
    }
    at = end;
  }
}

const readReception = (bytes: Uint8Array, at: number): ReceptionReport => ({
  ssrc: readUint32(bytes, at),
  fractionLost: bytes[at + 4] ?? 0,
  // 24 bits with a sign: what came twice counts against what was lost.
  cumulativeLost: (readUint32(bytes, at + 4) << 8) >> 8,
  highestSequence: readUint32(bytes, at + 8),
  jitterTicks: readUint32(bytes, at + 12),
  lastReport: readUint32(bytes, at + 16),
  sinceLastReport: readUint32(bytes, at + 20),
});

/** What names a sender report of `writeSenderReport` in the answers to it. */
export const middleOf = (report: Uint8Array): number => readUint32(report, 10);
