import { DataPacket, SipDTMF, UserPacket } from '@livekit/protocol';
import { expect, it } from 'vitest';
import { keyPacket, saidIn } from '../../../../relay/adapters/livekit-messages.ts';
import { KEYS } from '../../../../relay/domain/dtmf.ts';

/** A packet as the server passes it on. */
const packet = (code: number, digit: string, participantIdentity = 'anna'): Uint8Array =>
  new DataPacket({
    participantIdentity,
    value: { case: 'sipDtmf', value: new SipDTMF({ code, digit }) },
  }).toBinary();

it('writes what it reads, for every key', () => {
  for (const digit of KEYS) {
    expect(saidIn(keyPacket(digit))).toEqual({ type: 'key', digit, identity: '' });
    const { value } = DataPacket.fromBinary(keyPacket(digit));
    expect(value).toMatchObject({ case: 'sipDtmf', value: { code: KEYS.indexOf(digit), digit } });
  }
});

it.each<[what: string, code: number, digit: string, key: string | undefined]>([
  ['both names', 11, '#', '#'],
  ['the digit alone', 0, '7', '7'],
  ['the code alone', 10, '', '*'],
  ['a code that is no key', 16, '', undefined],
  ['a digit that is no key', 0, 'w', undefined],
  ['several digits', 1, '12', undefined],
])('reads %s', (_what, code, digit, key) => {
  expect(saidIn(packet(code, digit))).toEqual(
    key === undefined ? undefined : { type: 'key', digit: key, identity: 'anna' },
  );
});

it('says who pressed it, and passes over what is no key', () => {
  expect(saidIn(packet(1, '1', 'ben'))).toEqual({ type: 'key', digit: '1', identity: 'ben' });
  const chat = new DataPacket({
    value: { case: 'user', value: new UserPacket({ payload: Uint8Array.of(1) }) },
  });
  expect(saidIn(chat.toBinary())).toBeUndefined();
});
