// STUN as far as an ICE-lite agent needs it: read and check binding requests, write the replies. Pure: bytes in, bytes out.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

// Spec: RFC 8489 sections 5, 14 and 18; RFC 8445 section 16.1 for the ICE attributes.
const MAGIC_COOKIE = 0x2112_a442;
const FINGERPRINT_XOR = 0x5354_554e;
const HEADER_BYTES = 20;
const TYPE = { request: 0x0001, success: 0x0101, error: 0x0111 } as const;
const ATTRIBUTE = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  xorMappedAddress: 0x0020,
  useCandidate: 0x0025,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
} as const;

/** Where a datagram came from or goes to; IPv4 in dotted form. */
export type Address = { readonly host: string; readonly port: number };

/** A binding request whose attributes were read but whose integrity has yet to be checked. */
export type BindingRequest = {
  readonly transactionId: Buffer;
  readonly username: string;
  readonly useCandidate: boolean;
  readonly role: 'controlling' | 'controlled' | 'unstated';
};

/** Whether the datagram is STUN. Spec: RFC 7983 section 7, the first byte tells STUN (0-3), DTLS and SRTP apart. */
export function isStun(datagram: Buffer): boolean {
  return (
    datagram.length >= HEADER_BYTES &&
    datagram.readUInt8(0) < 4 &&
    datagram.readUInt32BE(4) === MAGIC_COOKIE
  );
}

/**
 * Reads a binding request.
 *
 * @returns undefined for anything else: a reply, an indication, or a message whose lengths do not add up
 */
export function parseBindingRequest(datagram: Buffer): BindingRequest | undefined {
  if (!isStun(datagram) || datagram.readUInt16BE(0) !== TYPE.request) return undefined;
  const attributes = readAttributes(datagram);
  if (!attributes) return undefined;
  const has = (type: number) => attributes.some((attribute) => attribute.type === type);
  const username = attributes.find((attribute) => attribute.type === ATTRIBUTE.username);
  return {
    transactionId: Buffer.from(datagram.subarray(8, HEADER_BYTES)),
    username: username?.value.toString('utf8') ?? '',
    useCandidate: has(ATTRIBUTE.useCandidate),
    role: has(ATTRIBUTE.iceControlling)
      ? 'controlling'
      : has(ATTRIBUTE.iceControlled)
        ? 'controlled'
        : 'unstated',
  };
}

/** Whether MESSAGE-INTEGRITY is there and made with this password, taken byte for byte (an `=` in it counts). */
export function isAuthentic(datagram: Buffer, password: string): boolean {
  const integrity = readAttributes(datagram)?.find(
    (attribute) => attribute.type === ATTRIBUTE.messageIntegrity,
  );
  if (!integrity || integrity.value.length !== 20) return false;
  return timingSafeEqual(integrity.value, integrityOf(datagram, integrity.offset, password));
}

/** A success reply that tells the peer the address its request came from. */
export function writeBindingSuccess(
  transactionId: Buffer,
  source: Address,
  password: string,
): Buffer {
  return signed(TYPE.success, transactionId, [xorMappedAddress(source)], password);
}

/** An error reply. 401: the credentials do not fit; 487: both sides claim the same role. */
export function writeBindingError(
  transactionId: Buffer,
  code: 401 | 487,
  password: string,
): Buffer {
  const value = Buffer.concat([
    Buffer.from([0, 0, Math.floor(code / 100), code % 100]),
    Buffer.from(code === 401 ? 'Unauthenticated' : 'Role Conflict'),
  ]);
  return signed(TYPE.error, transactionId, [attribute(ATTRIBUTE.errorCode, value)], password);
}

type Attribute = { readonly type: number; readonly value: Buffer; readonly offset: number };

function readAttributes(datagram: Buffer): Attribute[] | undefined {
  const end = HEADER_BYTES + datagram.readUInt16BE(2);
  if (end !== datagram.length) return undefined;
  const attributes: Attribute[] = [];
  let offset = HEADER_BYTES;
  while (offset + 4 <= end) {
    const type = datagram.readUInt16BE(offset);
    const length = datagram.readUInt16BE(offset + 2);
    if (offset + 4 + length > end) return undefined;
    attributes.push({ type, value: datagram.subarray(offset + 4, offset + 4 + length), offset });
    offset += 4 + Math.ceil(length / 4) * 4;
  }
  return attributes;
}

/** The HMAC covers everything before the attribute, with a length field that already counts the attribute. */
function integrityOf(message: Buffer, attributeOffset: number, password: string): Buffer {
  const covered = Buffer.from(message.subarray(0, attributeOffset));
  covered.writeUInt16BE(attributeOffset - HEADER_BYTES + 24, 2);
  return createHmac('sha1', Buffer.from(password, 'utf8')).update(covered).digest();
}

function signed(type: number, transactionId: Buffer, attributes: Buffer[], password: string) {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(type, 0);
  header.writeUInt32BE(MAGIC_COOKIE, 4);
  const plain = Buffer.concat([header, transactionId, ...attributes]);
  const integrity = attribute(
    ATTRIBUTE.messageIntegrity,
    integrityOf(plain, plain.length, password),
  );
  const message = Buffer.concat([plain, integrity, Buffer.alloc(8)]);
  message.writeUInt16BE(message.length - HEADER_BYTES, 2);
  const fingerprintOffset = message.length - 8;
  message.writeUInt16BE(ATTRIBUTE.fingerprint, fingerprintOffset);
  message.writeUInt16BE(4, fingerprintOffset + 2);
  const checksum = (crc32(message.subarray(0, fingerprintOffset)) ^ FINGERPRINT_XOR) >>> 0;
  message.writeUInt32BE(checksum, fingerprintOffset + 4);
  return message;
}

function attribute(type: number, value: Buffer): Buffer {
  const padded = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  padded.writeUInt16BE(type, 0);
  padded.writeUInt16BE(value.length, 2);
  value.copy(padded, 4);
  return padded;
}

function xorMappedAddress(source: Address): Buffer {
  const value = Buffer.alloc(8);
  value.writeUInt8(1, 1);
  value.writeUInt16BE(source.port ^ (MAGIC_COOKIE >>> 16), 2);
  const host = source.host.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  value.writeUInt32BE((host ^ MAGIC_COOKIE) >>> 0, 4);
  return attribute(ATTRIBUTE.xorMappedAddress, value);
}
