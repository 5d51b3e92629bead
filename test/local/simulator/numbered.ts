// Frames that say their number: whoever gets them knows which are missing. No codec is needed on either side.

/** One frame of CELT, 20 ms, mono, wideband: nobody on the way takes it for silence. Spec: RFC 6716 section 3.1, table 2. */
const TOC = 0xb8;
const MAGIC = 0x524c_4e4f;
const BYTES = 60;

/** @param number 0 to 2^32 - 1 */
export function numberedFrame(number: number): Buffer {
  const frame = Buffer.alloc(BYTES, 7);
  frame.writeUInt8(TOC, 0);
  frame.writeUInt32BE(MAGIC, 1);
  frame.writeUInt32BE(number, 5);
  return frame;
}

/** The number that a frame says; `undefined` for any other. */
export function numberOf(payload: Buffer): number | undefined {
  const isNumbered = payload.length === BYTES && payload.readUInt32BE(1) === MAGIC;
  return isNumbered ? payload.readUInt32BE(5) : undefined;
}
