// Phone numbers of users, for those who are not to know them. Pure. Whoever is shown anything of a call or a contact is shown it
// through here; `isMasked` is the only place that decides for whom.
import type { Role } from './roster.ts';

/** Whose view of users' phone numbers is cut down to the last four digits. */
export const NUMBER_MASKINGS = ['none', 'agents', 'agents_and_supervisors'] as const;
export type NumberMasking = (typeof NUMBER_MASKINGS)[number];

export function isMasked(masking: NumberMasking, role: Role): boolean {
  switch (masking) {
    case 'none':
      return false;
    case 'agents':
      return role === 'agent';
    case 'agents_and_supervisors':
      return role !== 'admin';
  }
}

/** As many as make the longest number with the digits that are shown, so that the length says nothing. Spec: E.164, 15 digits. */
const STARS = '*'.repeat(11);
/** Shorter ones would be told by four digits. */
const SHOWN_OF_DIGITS_MIN = 8;

/** @param text a number in any spelling */
export function maskNumber(text: string): string {
  const digits = text.replaceAll(/\D/g, '');
  return digits.length < SHOWN_OF_DIGITS_MIN ? STARS : `${STARS}${digits.slice(-4)}`;
}

/** Numbers in a sentence: seven digits in a row, or a plus with digits and what people put between them. */
const NUMBERS = /\+\d(?:[\s().-]?\d){5,}|\d{7,}/g;
/** Somebody's name that is a number. */
const NUMBER_ALONE = /^\s*\+?\(?\d(?:[\s().-]*\d){5,}\s*$/;

export const maskText = (text: string): string =>
  NUMBER_ALONE.test(text) ? maskNumber(text) : text.replaceAll(NUMBERS, maskNumber);

/**
 * Ids of the provider have the user's number in them, in base64.
 * Observed: wacids and wamids of the Cloud API, `test/fixtures`.
 */
const TELLING = new Set(['provider_call_id', 'quote', 'message_id']);
/** Made here, of random bits, hashes and times; digits in a row are no number. */
const SAFE =
  /^(id|at|cursor|token|key|room|identity|sha256|url|type|event)$|_(id|at|by|cursor|token|key|url|sha256)$/;

/** The same JSON without numbers of users, wherever they stand. */
export function maskJson<T>(value: T): T {
  return masked(value, '') as T;
}

function masked(value: unknown, key: string): unknown {
  if (TELLING.has(key)) return null;
  if (typeof value === 'string') return SAFE.test(key) ? value : maskText(value);
  if (Array.isArray(value)) return value.map((item) => masked(item, key));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, masked(item, name)]),
  );
}
