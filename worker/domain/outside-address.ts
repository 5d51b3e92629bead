// Addresses of users' own endpoints, to which Roomline sends requests. Pure.
//
// Whoever may enter such an address could otherwise have the worker ask machines that only it can reach. So a name in the public
// DNS is demanded, by what is written: text that needs interpreting (numbers as hosts, escapes, user names) is refused.

/** Longest address, in characters. */
export const ADDRESS_CHARS_MAX = 2_048;
/** Spec: RFC 1035 section 3.1, a name has at most 253 characters as text. */
const HOST_CHARS_MAX = 253;

/** Where names end that the public DNS does not hold. Spec: RFC 6761, RFC 6762, RFC 8375; `internal`: ICANN, 2024-07. */
const LOCAL_ENDINGS = ['localhost', 'local', 'internal', 'home.arpa', 'invalid', 'onion'] as const;
/** Names that networks of companies and households commonly use. Spec: RFC 6762 appendix G. */
const PRIVATE_ENDINGS = ['intranet', 'private', 'corp', 'home', 'lan', 'localdomain'] as const;

const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
// What ends in a number is an IPv4 address to whoever follows it, `0x7f.1` too. Spec: WHATWG URL, "ends in a number checker".
const LAST_LABEL = '[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?';
const REST = String.raw`(?:[/?][\x21-\x7e]*)?`;
const PUBLIC = new RegExp(`^https://((?:${LABEL}\\.)+${LAST_LABEL})(?::443)?${REST}$`, 'i');
const LOOPBACK = new RegExp(
  String.raw`^http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?${REST}$`,
  'i',
);

/**
 * What is wrong with an address that requests are to be sent to.
 *
 * @param isLoopbackAllowed plain http to this machine is taken too: for trying things out
 * @returns what was expected; null for an address that may be used
 */
export function refusalOfAddress(address: string, isLoopbackAllowed: boolean): string | null {
  if (address.length > ADDRESS_CHARS_MAX) return `at most ${ADDRESS_CHARS_MAX} characters`;
  if (isLoopbackAllowed && LOOPBACK.test(address)) return null;
  if (!/^https:\/\//i.test(address)) return 'an https:// address';
  const host = PUBLIC.exec(address)?.[1]?.toLowerCase();
  if (host === undefined || host.length > HOST_CHARS_MAX) {
    return 'https://, a name in the public DNS, and no other port than 443; no IP address, no user name';
  }
  const isLocal = [...LOCAL_ENDINGS, ...PRIVATE_ENDINGS].some(
    (ending) => host === ending || host.endsWith(`.${ending}`),
  );
  return isLocal ? 'a name in the public DNS, not one of a local network' : null;
}
