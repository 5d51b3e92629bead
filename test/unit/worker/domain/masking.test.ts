import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  isMasked,
  maskCaller,
  maskJson,
  maskNumber,
  maskText,
} from '../../../../worker/domain/masking.ts';

it.each([
  ['351910000001', '***********0001'],
  ['+351 910 000 001', '***********0001'],
  ['55119999912345', '***********2345'],
  // Four digits would tell most of a short one.
  ['9100001', '***********'],
])('of %s is shown %s, whatever its length', (number, shown) => {
  expect(maskNumber(number)).toBe(shown);
});

it.each([
  ['Recipient 351910000001 is not valid', 'Recipient ***********0001 is not valid'],
  ['call +351 (910) 000-001 back', 'call ***********0001 back'],
  ['910 000 001', '***********0001'],
  ['+351 910 000 001', '***********0001'],
  ['Ana', 'Ana'],
  ['error 138021 at 2026-11-23T10:05:00.123Z', 'error 138021 at 2026-11-23T10:05:00.123Z'],
  ['waited 26 s', 'waited 26 s'],
])('of the words "%s" is left "%s"', (text, shown) => {
  expect(maskText(text)).toBe(shown);
});

it('ids of the provider are not shown, because a number can be read out of them', () => {
  const call = {
    provider_call_id: `wacid.${btoa('351910000001')}`,
    quote: 'wacid.x',
    id: '12345678',
  };
  expect(maskJson(call)).toEqual({ provider_call_id: null, quote: null, id: '12345678' });
});

it('what was made here stays as it is', () => {
  const made = {
    id: '0123456789abcdef01234567',
    call_id: '12345678',
    at: '2026-11-23T10:05:00.123Z',
    next_cursor: 'MTc5MDAwMDAwMDAwMQ==',
    token: '99999999.eyJ.99999999',
    sha256: '1234567890',
    billed_seconds: 12345678,
  };
  expect(maskJson(made)).toEqual(made);
});

it('words of the business keep their numbers, but not that of the user', () => {
  const contact = { phone: '351910000001', name: 'Ana' };
  expect(maskJson({ contact, payload: 'order 20261123 of 351910000001' })).toEqual({
    contact: { phone: '***********0001', name: 'Ana' },
    payload: 'order 20261123 of ***********0001',
  });
});

it('the caller has no number in a room', () => {
  const caller = { contactId: 'c1' as never, phone: '351910000001', name: '+351910000001' };
  expect(maskCaller(caller)).toEqual({ contactId: 'c1', name: '***********0001' });
  expect(maskCaller({ contactId: 'c1' as never })).toEqual({ contactId: 'c1' });
});

it('no number is left anywhere in any JSON, in any field that people write', () => {
  const phone = fc.stringMatching(/^[1-9]\d{9,14}$/);
  const words = fc.tuple(fc.string({ maxLength: 5 }), phone, fc.string({ maxLength: 5 }));
  fc.assert(
    fc.property(words, fc.json({ maxDepth: 2 }), ([before, number, after], json) => {
      const text = `${before} ${number} ${after}`;
      const value = {
        contact: { phone: number, name: number },
        notes: [{ text }],
        detail: { text },
        rest: JSON.parse(json) as unknown,
      };
      expect(JSON.stringify(maskJson(value))).not.toContain(number);
    }),
  );
});

it.each([
  ['none', []],
  ['agents', ['agent']],
  ['agents_and_supervisors', ['agent', 'supervisor']],
] as const)('%s hides numbers from %j', (masking, hidden) => {
  const roles = (['agent', 'supervisor', 'admin'] as const).filter((role) =>
    isMasked(masking, role),
  );
  expect(roles).toEqual(hidden);
});
