import { expect, it } from 'vitest';
import { DAY_MS, HOUR_MS } from '../../local/simulator/clock.ts';
import {
  META_PERMISSION_LIMITS,
  PermissionRecord,
  SANDBOX_PERMISSION_LIMITS,
} from '../../local/simulator/permission-record.ts';

const T0 = 1_790_000_000_000;
const fresh = () => new PermissionRecord(META_PERMISSION_LIMITS);

it('a temporary permission lasts 168 hours to the millisecond', () => {
  const record = fresh();
  record.grantTemporary(T0);
  expect(record.permission(T0 + 168 * HOUR_MS - 1).kind).toBe('temporary');
  expect(record.permission(T0 + 168 * HOUR_MS).kind).toBe('none');
});

it('a temporary grant does not weaken a permanent one', () => {
  const record = fresh();
  record.set({ kind: 'permanent' });
  expect(record.grantTemporary(T0)).toEqual({ kind: 'permanent' });
});

it('requests are limited to one a day and two a week, and each frees itself', () => {
  const record = fresh();
  record.noteRequest('wamid.1', T0);
  expect(record.requestsToday(T0)).toEqual({ used: 1, max: 1, freeAtMs: T0 + DAY_MS });
  expect(record.requestsThisWeek(T0)).toEqual({ used: 1, max: 2 });
  expect(record.requestsToday(T0 + DAY_MS)).toEqual({ used: 0, max: 1 });
  record.noteRequest('wamid.2', T0 + DAY_MS);
  const later = T0 + 3 * DAY_MS;
  expect(record.requestsToday(later)).toEqual({ used: 0, max: 1 });
  expect(record.requestsThisWeek(later)).toEqual({ used: 2, max: 2, freeAtMs: T0 + 7 * DAY_MS });
  expect(record.requestsThisWeek(T0 + 7 * DAY_MS)).toMatchObject({ used: 1 });
});

it.each(['inbound', 'outbound'] as const)('a connected %s call resets both counts', (direction) => {
  const record = fresh();
  record.noteRequest('wamid.1', T0);
  record.noteConnected(T0 + 1, direction);
  expect(record.requestsToday(T0 + 1).used).toBe(0);
  expect(record.requestsThisWeek(T0 + 1).used).toBe(0);
});

it('only calls of the business count towards its hundred a day', () => {
  const record = fresh();
  record.noteConnected(T0, 'inbound');
  for (let call = 0; call < 100; call++) record.noteConnected(T0 + call, 'outbound');
  expect(record.connectedToday(T0 + 100)).toEqual({ used: 100, max: 100, freeAtMs: T0 + DAY_MS });
  expect(record.connectedToday(T0 + DAY_MS).used).toBe(99);
});

it.each([
  ['Meta', META_PERMISSION_LIMITS, 2, 4],
  ['a test number', SANDBOX_PERMISSION_LIMITS, 5, 10],
] as const)(
  '%s nudges and revokes after so many unanswered calls',
  (_name, limits, nudge, revoke) => {
    const record = new PermissionRecord(limits);
    record.set({ kind: 'permanent' });
    const effects = Array.from({ length: revoke }, () => record.noteUnanswered(T0));
    expect(effects.indexOf('nudge')).toBe(nudge - 1);
    expect(effects.indexOf('revoked')).toBe(revoke - 1);
    expect(record.permission(T0).kind).toBe('none');
    expect(record.nudges).toBe(1);
  },
);

it('an answered call starts the count of unanswered ones again', () => {
  const record = fresh();
  record.set({ kind: 'permanent' });
  for (let call = 0; call < 3; call++) record.noteUnanswered(T0);
  record.noteConnected(T0, 'outbound');
  for (let call = 0; call < 3; call++) record.noteUnanswered(T0);
  expect(record.permission(T0).kind).toBe('permanent');
});

it('where there is no permission, there is nothing to revoke', () => {
  const record = fresh();
  const effects = Array.from({ length: 6 }, () => record.noteUnanswered(T0));
  expect(effects).not.toContain('revoked');
});

it('a request stays open 7 days, 7 more after an answer, and until a newer one is answered', () => {
  const record = fresh();
  record.noteRequest('wamid.1', T0);
  expect(record.openRequest(T0 + 7 * DAY_MS - 1)?.wamid).toBe('wamid.1');
  expect(record.openRequest(T0 + 7 * DAY_MS)).toBeUndefined();
  const first = record.openRequest(T0 + DAY_MS);
  Object.assign(first ?? {}, { answer: 'accept', answeredAtMs: T0 + DAY_MS });
  expect(record.openRequest(T0 + 8 * DAY_MS - 1)?.wamid).toBe('wamid.1');
  record.noteRequest('wamid.2', T0 + 2 * DAY_MS);
  expect(record.openRequest(T0 + 2 * DAY_MS, 'wamid.1')?.wamid).toBe('wamid.1');
  const second = record.openRequest(T0 + 2 * DAY_MS);
  Object.assign(second ?? {}, { answer: 'reject', answeredAtMs: T0 + 2 * DAY_MS });
  expect(record.openRequest(T0 + 2 * DAY_MS, 'wamid.1')).toBeUndefined();
});

it('the service window closes after a day', () => {
  const record = fresh();
  record.openWindow(T0);
  expect(record.windowUntilMs).toBe(T0 + DAY_MS);
});
