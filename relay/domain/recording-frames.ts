// Opus packets taken apart into frames and put together again in pieces of 20 ms, as a recording needs them. Nothing is decoded.
import { FRAME_TICKS, opusTicks } from './opus.ts';

/** Spec: RFC 6716 section 3.4 [R5], 120 ms in frames of 2.5 ms. */
const FRAMES_MAX = 48;

/** Spec: RFC 6716 section 3.4 [R2]. */
const FRAME_BYTES_MAX = 1_275;

/** Longest packet that is taken: what one datagram carries on the internet. */
const PACKET_BYTES_MAX = 1_500;

/** Most bytes of one piece: its packet, and a second byte of head and eight lengths written out. */
export const PIECE_BYTES_MAX = PACKET_BYTES_MAX + 1 + 2 * 8;

/** The frames of one packet; one object serves all packets. */
const frames = {
  count: 0,
  starts: new Int32Array(FRAMES_MAX),
  lengths: new Int32Array(FRAMES_MAX),
};

/**
 * How many pieces of 20 ms an Opus packet can be cut into.
 *
 * @returns 1 to 6; 0 when it cannot: a frame that is longer, packets that are shorter, bytes that are no Opus packet
 */
export function piecesOf(bytes: Uint8Array, start: number, end: number): number {
  const ticks = opusTicks(bytes, start, end);
  if (ticks === 0 || ticks % FRAME_TICKS !== 0 || end - start > PACKET_BYTES_MAX) return 0;
  if (((bytes[start] ?? 0) & 3) === 0)
    return ticks === FRAME_TICKS && end - start <= FRAME_BYTES_MAX + 1 ? 1 : 0;
  if (!readFrames(bytes, start, end)) return 0;
  return frames.count * FRAME_TICKS < ticks ? 0 : ticks / FRAME_TICKS;
}

/**
 * Writes one piece as an Opus packet.
 *
 * @param piece 0 for the first; `piecesOf` says how many there are
 * @param isDelimited with its own length, RFC 6716 appendix B, because another packet follows
 * @returns where it ends in `into`
 */
export function writePiece(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  end: number,
  piece: number,
  isDelimited: boolean,
): number {
  const toc = bytes[start] ?? 0;
  let to = at;
  if ((toc & 3) === 0) {
    into[to++] = toc;
    if (isDelimited) to = writeLength(into, to, end - start - 1);
    return copy(into, to, bytes, start + 1, end - start - 1);
  }
  readFrames(bytes, start, end);
  const count = (frames.count * FRAME_TICKS) / opusTicks(bytes, start, end);
  const first = piece * count;
  // Spec: RFC 6716 sections 3.2.2 and 3.2.5, code 0 is one frame, code 3 several with their lengths written out.
  into[to++] = count === 1 ? toc & 0xfc : toc | 3;
  if (count > 1) into[to++] = 0x80 | count;
  for (let frame = 0; frame < (isDelimited ? count : count - 1); frame++)
    to = writeLength(into, to, frames.lengths[first + frame] ?? 0);
  for (let frame = first; frame < first + count; frame++)
    to = copy(into, to, bytes, frames.starts[frame] ?? 0, frames.lengths[frame] ?? 0);
  return to;
}

/**
 * The packet that stands for 20 ms that never came: its first byte alone, in the mode of what came before.
 * Spec: RFC 7845 section 4.1; RFC 6716 section 3.1, table 2.
 */
export function lostToc(toc: number): number {
  const config = toc >> 3;
  if (config < 12) return (((config & ~3) | 1) << 3) | (toc & 4);
  if (config < 16) return ((config | 1) << 3) | (toc & 4);
  return ((config | 3) << 3) | (toc & 4);
}

/** Spec: RFC 6716 sections 3.2.2 to 3.2.5. */
function readFrames(bytes: Uint8Array, start: number, end: number): boolean {
  const code = (bytes[start] ?? 0) & 3;
  let at = start + 1;
  let last = end;
  let isEqual = code === 1;
  frames.count = code === 0 ? 1 : 2;
  if (code === 3) {
    const head = bytes[at++] ?? 0;
    frames.count = head & 0x3f;
    isEqual = (head & 0x80) === 0;
    if (frames.count < 1 || frames.count > FRAMES_MAX) return false;
    // Spec: RFC 6716 section 3.2.5, a byte of 255 means 254 bytes of padding and one more such byte.
    for (let more = (head & 0x40) !== 0; more;) {
      const padding = bytes[at++] ?? 0;
      more = padding === 255;
      last -= more ? 254 : padding;
    }
  }
  if (isEqual) frames.lengths.fill((last - at) / frames.count, 0, frames.count);
  else at = readLengths(bytes, at, last);
  for (let frame = 0; frame < frames.count; frame++) {
    const length = frames.lengths[frame] ?? 0;
    if (length < 0 || length > FRAME_BYTES_MAX) return false;
    frames.starts[frame] = at;
    at += length;
  }
  return at === last;
}

/** Lengths of all frames but the last, which has what is left. @returns where the first frame starts */
function readLengths(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let sum = 0;
  for (let frame = 0; frame < frames.count - 1; frame++) {
    let length = bytes[at++] ?? 0;
    if (length >= 252) length += 4 * (bytes[at++] ?? 0);
    frames.lengths[frame] = length;
    sum += length;
  }
  frames.lengths[frames.count - 1] = end - at - sum;
  return at;
}

/** Spec: RFC 6716 section 3.2.1. */
function writeLength(into: Uint8Array, at: number, length: number): number {
  if (length < 252) {
    into[at] = length;
    return at + 1;
  }
  const low = 252 + (length & 3);
  into[at] = low;
  into[at + 1] = (length - low) >> 2;
  return at + 2;
}

function copy(
  into: Uint8Array,
  at: number,
  bytes: Uint8Array,
  start: number,
  length: number,
): number {
  for (let index = 0; index < length; index++) into[at + index] = bytes[start + index] ?? 0;
  return at + length;
}
