import { expect, it } from 'vitest';
import { PUBLIC_EVENTS, publicEventOf } from '../../../../worker/domain/public-event.ts';

it('names events as Standard Webhooks recommends', () => {
  for (const type of Object.keys(PUBLIC_EVENTS)) expect(type).toMatch(/^call\.[a-z_]+$/);
});

it.each([
  ['ending', 'call.ended'],
  ['ended', 'call.ended'],
  ['end-confirmed', null],
] as const)('tells the end of a call once: %s', (type, expected) => {
  expect(publicEventOf(type)).toBe(expected);
});
