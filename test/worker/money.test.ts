// Rate cards and usage, with a real database.
import { drizzle } from 'drizzle-orm/d1';
import { beforeEach, describe, expect, it } from 'vitest';
import { createRateStore } from '../../worker/adapters/rate-store-d1.ts';
import { chargeOf } from '../../worker/domain/pricing.ts';
import { ADMIN_KEY, api, request, testEnv, unique } from './support.ts';

const HEADER = 'prefix,tier_from_minutes,currency,price_per_minute,valid_from';
const CARD = [
  HEADER,
  '351,0,EUR,0.0103,2026-07-01',
  '351,50000,EUR,0.0095,2026-07-01',
  '1,0,USD,0.02,2026-07-01',
  '1242,0,USD,0.2,2026-07-01',
].join('\n');
const rates = createRateStore(drizzle(testEnv.DB));

const upload = (card: string): Promise<Response> =>
  request('/v1/rates', {
    method: 'PUT',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'text/csv' },
    body: card,
  });

interface Call {
  direction?: 'inbound' | 'outbound';
  answeredAt?: string | null;
  seconds?: number;
  billedS?: number | null;
  costMicros?: number | null;
  currency?: string | null;
  prefix?: string | null;
}
let numberId: string;
beforeEach(async () => {
  const { body } = await api<{ id: string }>('POST', '/v1/numbers', {
    provider: 'meta',
    phone_number_id: unique('55'),
    display_phone_number: '+351 21 000 0000',
    access_token: 'token',
  });
  numberId = body.id;
});

async function addCall(call: Call): Promise<void> {
  const { answeredAt = '2026-10-10T10:00:00Z', seconds = 60 } = call;
  const answeredAtMs = answeredAt === null ? null : Date.parse(answeredAt);
  const createdAtMs = (answeredAtMs ?? Date.parse('2026-10-10T10:00:00Z')) - 5000;
  await testEnv.DB.prepare(
    `INSERT INTO calls (id, version, state, is_live, direction, number_id, created_at_ms, answered_at_ms, ended_at_ms,
      billed_s, cost_micros, cost_currency, rate_prefix, data) VALUES (?, 1, 'ended', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, '{}')`,
  )
    .bind(
      unique('call'),
      call.direction ?? 'outbound',
      numberId,
      createdAtMs,
      answeredAtMs,
      (answeredAtMs ?? createdAtMs) + seconds * 1000,
      call.billedS ?? null,
      call.costMicros ?? null,
      call.currency ?? null,
      call.prefix ?? null,
    )
    .run();
}

describe('the rate card', () => {
  it('is replaced as a whole', async () => {
    expect(await (await upload(CARD)).json()).toEqual({ rates: 4 });
    expect((await upload(`${HEADER}\n44,0,GBP,0.5,2026-07-01\n`)).status).toBe(200);
    expect((await api('GET', '/v1/rates')).body).toEqual({
      data: [
        {
          prefix: '44',
          tier_from_minutes: 0,
          currency: 'GBP',
          price_per_minute: '0.5',
          valid_from: '2026-07-01',
        },
      ],
    });
  });

  it('stays as it is when one line is broken, and every such line is named', async () => {
    await upload(CARD);
    const response = await upload(`${CARD}\nx,0,EUR,1,2026-07-01\n33,0,EUR,1\n34,0,EUR,a,b`);
    expect(response.status).toBe(400);
    const { errors } = await response.json<{ errors: { field: string; expected: string }[] }>();
    expect(errors.map(({ field }) => field)).toEqual([
      'line 6, prefix',
      'line 7',
      'line 8, price_per_minute',
      'line 8, valid_from',
    ]);
    expect(await rates.all()).toHaveLength(4);
  });

  it('may have thousands of lines', async () => {
    const lines = Array.from({ length: 12_000 }, (_, n) => `${n + 1},0,USD,0.01,2026-07-01`);
    expect(await (await upload([HEADER, ...lines].join('\n'))).json()).toEqual({ rates: 12_000 });
    expect(await rates.all()).toHaveLength(12_000);
  });

  it('is refused when it is too large', async () => {
    expect((await upload('x'.repeat(2 * 1024 * 1024 + 1))).status).toBe(413);
  });

  it('belongs to the admin', async () => {
    const { body } = await api<{ key: string }>('POST', '/v1/agents', { name: 'Dora' });
    for (const path of ['/v1/rates', '/v1/usage']) {
      expect((await api('GET', path, undefined, body.key)).status).toBe(403);
    }
    const put = await request('/v1/rates', {
      method: 'PUT',
      headers: { authorization: `Bearer ${body.key}`, 'content-type': 'text/csv' },
      body: CARD,
    });
    expect(put.status).toBe(403);
  });
});

describe('a price', () => {
  const pickedUpAtMs = Date.parse('2026-10-20T10:00:00Z');

  it('comes from the longest prefix that is valid', async () => {
    await upload(CARD);
    expect((await rates.tariffFor('12425550100', pickedUpAtMs))?.prefix).toBe('1242');
    expect((await rates.tariffFor('12125550100', pickedUpAtMs))?.prefix).toBe('1');
    expect(await rates.tariffFor('12125550100', Date.parse('2026-06-30T23:59:59Z'))).toBeNull();
    expect(await rates.tariffFor('491700000001', pickedUpAtMs)).toBeNull();
    expect(await rates.tariffFor(null, pickedUpAtMs)).toBeNull();
  });

  it('follows the minutes that were billed to the prefix earlier in the month', async () => {
    await upload(CARD);
    await addCall({ answeredAt: '2026-10-01T00:00:00Z', billedS: 49_999 * 60, prefix: '351' });
    await addCall({ answeredAt: '2026-09-30T23:59:59Z', billedS: 9_000, prefix: '351' });
    await addCall({ answeredAt: '2026-10-20T10:00:01Z', billedS: 9_000, prefix: '351' });
    await addCall({ answeredAt: '2026-10-02T00:00:00Z', billedS: 9_000, prefix: '1' });
    const tariff = await rates.tariffFor('351910000001', pickedUpAtMs);
    expect(tariff?.billedBeforeS).toBe(49_999 * 60);
    const call = { direction: 'outbound', pickedUpAtMs } as const;
    expect(chargeOf({ ...call, endedAtMs: pickedUpAtMs + 60_000 }, tariff).costMicros).toBe(10_300);
    expect(chargeOf({ ...call, endedAtMs: pickedUpAtMs + 61_000 }, tariff)).toEqual({
      billedS: 66,
      costMicros: 10_450,
      currency: 'EUR',
      ratePrefix: '351',
    });
  });
});

describe('usage', () => {
  const usage = async (query: string) =>
    api<{ data: Record<string, unknown>[]; from: string; to: string }>('GET', `/v1/usage?${query}`);

  it('is added up per number and direction', async () => {
    await addCall({ direction: 'inbound', seconds: 61 });
    await addCall({ direction: 'inbound', answeredAt: null });
    await addCall({ seconds: 61, billedS: 66, costMicros: 11_330, currency: 'EUR', prefix: '351' });
    await addCall({ seconds: 6, billedS: 6, costMicros: 1_030, currency: 'EUR', prefix: '351' });
    await addCall({ seconds: 6, billedS: 6, costMicros: 2_000, currency: 'USD', prefix: '1' });
    await addCall({ seconds: 30, billedS: 30 });
    await addCall({ answeredAt: null, billedS: 0 });
    await addCall({ answeredAt: '2026-11-01T00:00:10Z', billedS: 60 });
    const { body } = await usage(`from=2026-10-01&to=2026-11-01T00:00:00Z&number_id=${numberId}`);
    expect(body).toEqual({
      from: '2026-10-01T00:00:00.000Z',
      to: '2026-11-01T00:00:00.000Z',
      data: [
        {
          number_id: numberId,
          direction: 'inbound',
          calls: 2,
          answered: 1,
          seconds: 61,
          billed_seconds: 0,
          cost: [],
          calls_without_rate: 0,
        },
        {
          number_id: numberId,
          direction: 'outbound',
          calls: 5,
          answered: 4,
          seconds: 103,
          billed_seconds: 108,
          cost: [
            { currency: 'EUR', amount: '0.01236', micros: 12_360 },
            { currency: 'USD', amount: '0.002', micros: 2_000 },
          ],
          calls_without_rate: 1,
        },
      ],
    });
  });

  it('is that of this month unless another time is asked for', async () => {
    const { status, body } = await usage(`number_id=${numberId}`);
    expect([status, body.data]).toEqual([200, []]);
    expect(body.from).toMatch(/^\d{4}-\d\d-01T00:00:00.000Z$/);
  });

  it.each(['from=yesterday', 'to=2026-13-01', 'from=2026-11-01&to=2026-10-01'])(
    'refuses ?%s by field',
    async (query) => {
      const { status, body } = await api<{ errors: { field: string }[] }>(
        'GET',
        `/v1/usage?${query}`,
      );
      expect([status, body.errors[0]?.field]).toEqual([400, query.split('=')[0]]);
    },
  );
});
