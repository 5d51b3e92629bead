import { expect, it } from 'vitest';
import { canonicalPhone, identitiesOf } from '../../../../worker/domain/contact.ts';

it.each([
  ['Brazilian mobile without the ninth digit', '551187654321', '5511987654321'],
  ['Brazilian mobile with it', '5511987654321', '5511987654321'],
  ['Brazilian landline', '551132654321', '551132654321'],
  ['Argentine mobile without the 9', '541123456789', '5491123456789'],
  ['Argentine mobile with it', '5491123456789', '5491123456789'],
  ['any other number', '351910000001', '351910000001'],
])('%s has one spelling', (_name, digits, canonical) => {
  expect(canonicalPhone(digits)).toBe(canonical);
});

it('takes only digits for a phone number', () => {
  expect(identitiesOf({ phone: 'US.1349', bsuid: 'US.1349' })).toEqual([
    { kind: 'bsuid', value: 'US.1349' },
  ]);
  expect(identitiesOf({ phone: '1234567890123456' })).toEqual([]);
});

it('knows a caller without a phone by the other ids, strongest first', () => {
  expect(identitiesOf({ phone: '351910000001', bsuid: 'PT.1', parentBsuid: 'PT.ENT.1' })).toEqual([
    { kind: 'phone', value: '351910000001' },
    { kind: 'bsuid', value: 'PT.1' },
    { kind: 'parent_bsuid', value: 'PT.ENT.1' },
  ]);
});
