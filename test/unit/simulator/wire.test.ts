import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { callsBody, encodeAsMeta, signatureOf } from '../../local/simulator/wire.ts';

const number = { phoneNumberId: '200', displayPhoneNumber: '15550109999', wabaId: '100' };
const caller = { from: '15550100001', name: 'Zoë 😀', username: undefined, userId: 'US.1' };

it('slashes and everything outside ASCII are escaped, and the text still means the same', () => {
  const value = { name: 'Zoë 😀', path: 'a/b' };
  const text = encodeAsMeta(value);
  expect(text).toBe(String.raw`{"name":"Zo\u00eb \ud83d\ude00","path":"a\/b"}`);
  expect(JSON.parse(text)).toEqual(value);
});

it('the signature is the HMAC of exactly the bytes that are sent', () => {
  const body = callsBody(number, [caller], [{ id: 'wacid.A', event: 'connect' }]);
  const expected = createHmac('sha256', 'secret').update(Buffer.from(body)).digest('hex');
  expect(signatureOf(body, 'secret')).toBe(`sha256=${expected}`);
  const reserialised = JSON.stringify(JSON.parse(body));
  expect(signatureOf(reserialised, 'secret')).not.toBe(`sha256=${expected}`);
});

const valueOf = (body: string) => JSON.parse(body).entry[0].changes[0].value;

it('a withheld phone number is absent, not null', () => {
  const [contact] = valueOf(callsBody(number, [{ ...caller, from: undefined }], [])).contacts;
  expect(contact).toEqual({ profile: { name: 'Zoë 😀' }, user_id: 'US.1' });
});

it('contacts can be missing, the number can be another one, fields can be unknown', () => {
  const oddities = { contacts: 'omit', foreignNumberId: '999', unknownFields: true } as const;
  const value = valueOf(callsBody(number, [caller], [{ id: 'wacid.A' }], oddities));
  expect(value).not.toHaveProperty('contacts');
  expect(value.metadata.phone_number_id).toBe('999');
  expect(value.calls[0]).toHaveProperty('a_field_of_the_future');
});
