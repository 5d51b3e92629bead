import { describe, expect, it } from 'vitest';
import {
  callingPatch,
  patchToProvider,
  restrictionsOf,
  viewOfCalling,
  withoutSecrets,
} from '../../../../worker/domain/calling.ts';
import { pastHolidays, type Hours } from '../../../../worker/domain/calling-hours.ts';

const hours = {
  timezone: 'Europe/Lisbon',
  weekly: [
    { day: 'monday', open: '0900', close: '1200' },
    { day: 'monday', open: '1300', close: '1800' },
    { day: 'saturday', open: '1000', close: '1300' },
  ],
  holidays: [{ date: '2099-12-25', open: '0000', close: '2359' }],
} satisfies Hours;
const provided = {
  status: 'ENABLED',
  timezone_id: 'Europe/Lisbon',
  weekly_operating_hours: [
    { day_of_week: 'MONDAY', open_time: '0900', close_time: '1200' },
    { day_of_week: 'MONDAY', open_time: '1300', close_time: '1800' },
    { day_of_week: 'SATURDAY', open_time: '1000', close_time: '1300' },
  ],
  holiday_schedule: [{ date: '2099-12-25', start_time: '0000', end_time: '2359' }],
};

describe('a change', () => {
  it.each<[string, object, object, object | null]>([
    ['nothing', {}, {}, null],
    ['on', { enabled: true }, {}, { status: 'ENABLED' }],
    ['a hidden icon', { icon: 'hidden' }, {}, { call_icon_visibility: 'DISABLE_ALL' }],
    ['a shown icon', { icon: 'shown' }, {}, { call_icon_visibility: 'DEFAULT' }],
    [
      'countries',
      { countries: ['PT'] },
      {},
      { call_icons: { restrict_to_user_countries: ['PT'] } },
    ],
    [
      'call-back permission',
      { callback_permission: false },
      {},
      { callback_permission_status: 'DISABLED' },
    ],
    ['hours', { hours }, {}, { call_hours: provided }],
    [
      'no hours any more',
      { hours: null },
      { call_hours: provided },
      {
        call_hours: {
          status: 'DISABLED',
          timezone_id: 'Europe/Lisbon',
          weekly_operating_hours: provided.weekly_operating_hours,
        },
      },
    ],
    ['no hours where there were none', { hours: null }, {}, null],
    ['SIP off', { sip: 'off' }, {}, { sip: { status: 'DISABLED' } }],
  ])('to %s', (_name, patch, known, expected) => {
    expect(patchToProvider(callingPatch.parse(patch), { ...known })).toEqual(expected);
  });

  const range = (open: string, close: string, day = 'monday') => ({ day, open, close });
  const holidays = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ date: `2099-01-${10 + index}` }));
  it.each<[string, object, string]>([
    ['an unknown time zone', { ...hours, timezone: 'Mars/Olympus' }, 'hours.timezone'],
    ['an offset as time zone', { ...hours, timezone: '+01:00' }, 'hours.timezone'],
    ['no range at all', { ...hours, weekly: [] }, 'hours.weekly'],
    ['a time with a colon', { ...hours, weekly: [range('09:00', '1000')] }, 'hours.weekly.0.open'],
    ['24 o’clock', { ...hours, weekly: [range('0900', '2400')] }, 'hours.weekly.0.close'],
    [
      'closing before opening',
      { ...hours, weekly: [range('1000', '0900')] },
      'hours.weekly.0.close',
    ],
    ['closing when opening', { ...hours, weekly: [range('1000', '1000')] }, 'hours.weekly.0.close'],
    ['an unknown day', { ...hours, weekly: [range('09', '10', 'mon')] }, 'hours.weekly.0.day'],
    [
      'three ranges on a day',
      { ...hours, weekly: [range('0100', '0200'), range('0300', '0400'), range('0500', '0600')] },
      'hours.weekly.2.day',
    ],
    [
      'ranges that overlap',
      { ...hours, weekly: [range('0900', '1200'), range('1159', '1300')] },
      'hours.weekly.1.open',
    ],
    ['too many holidays', { ...hours, holidays: holidays(21) }, 'hours.holidays'],
    [
      'a day that does not exist',
      { ...hours, holidays: [{ date: '2099-02-30' }] },
      'hours.holidays.0.date',
    ],
  ])('with %s names the field', (_name, bad, field) => {
    const result = callingPatch.safeParse({ hours: bad });
    expect(result.error?.issues.map(({ path }) => path.join('.'))).toContain(field);
  });

  it('takes ranges that touch, on days with two of them', () => {
    const weekly = [range('0900', '1200'), range('1200', '1300'), range('0000', '2359', 'sunday')];
    expect(callingPatch.safeParse({ hours: { ...hours, weekly } }).success).toBe(true);
  });

  it.each(['2026-11-22', '2026-11-23'])('knows what is past where the number is: %s', (date) => {
    // 23:30 UTC on the 22nd: already the 23rd in Tokyo.
    const nowMs = Date.UTC(2026, 10, 22, 23, 30);
    const schedule = { ...hours, holidays: [{ date, open: '0000', close: '2359' }] };
    const isPast = date === '2026-11-22';
    expect(pastHolidays({ ...schedule, timezone: 'Asia/Tokyo' }, nowMs)).toEqual(isPast ? [0] : []);
    expect(pastHolidays({ ...schedule, timezone: 'Europe/London' }, nowMs)).toEqual([]);
  });
});

describe('what the provider has', () => {
  it('is shown in our words', () => {
    const calling = {
      status: 'ENABLED',
      call_icon_visibility: 'DISABLE_ALL',
      call_icons: { restrict_to_user_countries: ['BR'] },
      callback_permission_status: 'ENABLED',
      call_hours: provided,
      sip: { status: 'DISABLED' },
    };
    expect(viewOfCalling(calling)).toEqual({
      enabled: true,
      icon: 'hidden',
      countries: ['BR'],
      callback_permission: true,
      hours,
      sip: { enabled: false, servers: [], explanation: null },
    });
  });

  it('is shown when nothing was ever set', () => {
    expect(viewOfCalling({})).toMatchObject({ enabled: false, icon: 'shown', hours: null });
  });

  it('is read with the other spellings of holidays and times', () => {
    const call_hours = {
      ...provided,
      holiday_schedule: [{ date: '2099-12-25', open_time: '04:00', close_time: '10:00' }],
    };
    expect(viewOfCalling({ call_hours }).hours?.holidays).toEqual([
      { date: '2099-12-25', open: '0400', close: '1000' },
    ]);
  });

  it('explains SIP mode and never shows its passwords', () => {
    const sip = {
      status: 'ENABLED',
      servers: [{ hostname: 'sip.example.com', port: 5061, sip_user_password: 'p' }],
    };
    const view = viewOfCalling({ sip });
    expect(view.sip).toMatchObject({ enabled: true, servers: ['sip.example.com'] });
    expect(view.sip.explanation).toContain('"sip": "off"');
    expect(withoutSecrets({ sip })).toEqual({
      sip: { status: 'ENABLED', servers: [{ hostname: 'sip.example.com', port: 5061 }] },
    });
  });

  it('tells its restrictions, and that it does not speak of any', () => {
    const restrictions = {
      restrictions_list: [
        {
          type: 'RESTRICTED_BUSINESS_INITIATED_CALLING',
          reason: 'quality',
          expiration: 1_790_000_000,
        },
        { nonsense: true },
      ],
    };
    expect(restrictionsOf({ restrictions }, 5)).toEqual([
      {
        type: 'RESTRICTED_BUSINESS_INITIATED_CALLING',
        reason: 'quality',
        until_ms: 1_790_000_000_000,
        at_ms: 5,
      },
    ]);
    expect(restrictionsOf({}, 5)).toBeNull();
  });
});
