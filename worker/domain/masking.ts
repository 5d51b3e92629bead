// Phone numbers of users, for those who are not to know them. Pure. Whoever is shown anything of a call or a contact is shown it
// through here; `isMasked` is the only place that decides for whom.
import type { Caller } from './call.ts';
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
const NUMBERS = /\+\d(?:[\s().-]{0,3}\d){5,}|\d{7,}/g;
/** Somebody's name that is a number. */
const NUMBER_ALONE = /^\s*\+?\(?\d(?:[\s().-]{0,3}\d){5,}\s*$/;

export const maskText = (text: string): string =>
  NUMBER_ALONE.test(text) ? maskNumber(text) : text.replaceAll(NUMBERS, maskNumber);

/**
 * Ids of the provider have the user's number in them, in base64.
 * Observed: samples of wacids and wamids in the provider's documentation, decoded.
 */
const TELLING = new Set(['provider_call_id', 'quote', 'message_id']);
/** Made here, of random bits, hashes and times: digits in a row are no number. */
const MADE_HERE =
  /^(id|at|cursor|token|key|room|identity|sha256|url|type|event)$|_(id|at|by|cursor|token|key|url|sha256)$/;
/** Of the business's own making: order numbers are numbers, too. What is known to be a user's is hidden all the same. */
const OWN_WORDS = new Set(['payload', 'metadata']);

/** The same JSON without numbers of users, wherever they stand. */
export function maskJson<T>(value: T): T {
  return masked(value, '', phonesIn(value)) as T;
}

function masked(value: unknown, key: string, phones: readonly string[]): unknown {
  if (TELLING.has(key)) return null;
  if (typeof value === 'string') return maskedString(value, key, phones);
  if (Array.isArray(value)) return value.map((item) => masked(item, key, phones));
  if (value === null || typeof value !== 'object') return value;
  const fields = Object.entries(value).map(([name, item]) => [name, masked(item, name, phones)]);
  return Object.fromEntries(fields);
}

function maskedString(text: string, key: string, phones: readonly string[]): string {
  if (MADE_HERE.test(key)) return text;
  if (key === 'phone') return maskNumber(text);
  if (!OWN_WORDS.has(key)) return maskText(text);
  return phones.reduce((rest, phone) => rest.replaceAll(phone, maskNumber(phone)), text);
}

/** Of contacts. */
function phonesIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, item]: [string, unknown]) =>
    key === 'phone' && typeof item === 'string' ? [item] : phonesIn(item),
  );
}

/** The caller as everybody in their room may read it. */
export function maskCaller({ phone: _phone, name, ...rest }: Caller): Caller {
  return { ...rest, ...(name === undefined ? {} : { name: maskText(name) }) };
}
