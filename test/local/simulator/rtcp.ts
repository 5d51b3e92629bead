// The sender report of a simulated phone. Pure.

/** What a report says of the stream that is heard. */
export type Reception = {
  readonly ssrc: number;
  readonly highestSequence: number;
  readonly lost: number;
  /** Middle 32 bits of the NTP time of the last sender report heard, 0 if none. */
  readonly lastReport: number;
  /** How long ago that was, in ms. */
  readonly sinceLastReportMs: number;
};

/** What a report says of the own stream. */
export type Transmission = {
  readonly ssrc: number;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly octets: number;
};

const NTP_EPOCH_OFFSET_S = 2_208_988_800;
const CNAME = 'WhatsAppAudioStream1';

/**
 * A compound packet: sender report with at most one reception block, and the source's name.
 *
 * Spec: RFC 3550 sections 6.4.1 and 6.5.
 */
export function writeSenderReport(own: Transmission, heard: Reception | undefined, nowMs: number) {
  const report = Buffer.alloc(heard ? 52 : 28);
  report.writeUInt8(0x80 | (heard ? 1 : 0), 0);
  report.writeUInt8(200, 1);
  report.writeUInt16BE(report.length / 4 - 1, 2);
  report.writeUInt32BE(own.ssrc, 4);
  report.writeUInt32BE(Math.floor(nowMs / 1000) + NTP_EPOCH_OFFSET_S, 8);
  report.writeUInt32BE(Math.floor(((nowMs % 1000) / 1000) * 2 ** 32), 12);
  report.writeUInt32BE(own.rtpTimestamp >>> 0, 16);
  report.writeUInt32BE(own.packets >>> 0, 20);
  report.writeUInt32BE(own.octets >>> 0, 24);
  if (heard) {
    report.writeUInt32BE(heard.ssrc, 28);
    report.writeUInt32BE(Math.min(heard.lost, 0x7f_ffff), 32);
    report.writeUInt32BE(heard.highestSequence >>> 0, 36);
    report.writeUInt32BE(heard.lastReport, 44);
    report.writeUInt32BE(Math.round((heard.sinceLastReportMs / 1000) * 65_536) >>> 0, 48);
  }
  return Buffer.concat([report, sourceDescription(own.ssrc)]);
}

/** Reads the middle 32 bits of the NTP time out of a compound packet that starts with a sender report. */
export function lastReportOf(compound: Buffer): number | undefined {
  const isSenderReport = compound.length >= 28 && compound.readUInt8(1) === 200;
  return isSenderReport ? compound.readUInt32BE(10) : undefined;
}

function sourceDescription(ssrc: number): Buffer {
  const packet = Buffer.alloc(Math.ceil((8 + 2 + CNAME.length + 1) / 4) * 4);
  packet.writeUInt8(0x81, 0);
  packet.writeUInt8(202, 1);
  packet.writeUInt16BE(packet.length / 4 - 1, 2);
  packet.writeUInt32BE(ssrc, 4);
  packet.writeUInt8(1, 8);
  packet.writeUInt8(CNAME.length, 9);
  packet.write(CNAME, 10);
  return packet;
}
