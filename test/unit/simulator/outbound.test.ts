import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dial } from '../../local/simulator/dial.ts';
import { createPlatform } from '../../local/simulator/simulator.ts';
import type { PhoneDescription } from '../../local/simulator/client.ts';
import { shareOfTone } from '../../local/simulator/hearing.ts';
import { POLL, Scene, USER } from './scene.ts';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.open();
  await scene.client.setPermission({ user: USER, status: 'permanent' });
});
afterEach(() => scene.close());

const QUICK: PhoneDescription = { connect_ms: 0, ring_ms: 0 };
const nowMs = () => performance.timeOrigin + performance.now();

describe('a call of the business', () => {
  it.each(['passive', 'active', 'actpass'] as const)(
    'whose answer says %s: media is up while it rings, and both hear each other after the pickup',
    async (answer_setup) => {
      const play = { kind: 'tone', hz: 600 } as const;
      await scene.client.setPhone({ ...QUICK, ring_ms: 60_000, play, answer_setup }, USER);
      const { wacid, peer } = await scene.dial({ biz_opaque_callback_data: 'attempt-1' });
      await expect.poll(() => scene.names(), POLL).toEqual(['connect', 'RINGING']);
      expect(scene.answerSdp()).toContain(`a=setup:${answer_setup}\r\n`);
      await peer.applyAnswer(scene.answerSdp());
      await peer.connected();
      await scene.client.waitFor(wacid, ({ mediaAtMs }) => mediaAtMs !== null);
      await scene.client.pickUp(wacid);
      peer.play({ kind: 'tone', hz: 1500 });
      const share = (report: ReturnType<typeof peer.heard>, hz: number) =>
        shareOfTone(report, hz, nowMs() - 500, nowMs() - 150);
      await expect.poll(() => share(peer.heard(), 600), POLL).toBeGreaterThan(0.9);
      const call = await scene.client.waitFor(wacid, ({ heard }) => share(heard, 1500) > 0.9);
      expect(call).toMatchObject({
        state: 'live',
        direction: 'outbound',
        from: '15550109999',
        to: USER,
        opaque: 'attempt-1',
        violations: [],
        answerWarnings: [],
      });
      await scene.client.hangUp(wacid);
      await expect
        .poll(() => scene.names(), POLL)
        .toEqual(['connect', 'RINGING', 'ACCEPTED', 'terminate']);
      const terminate = scene.entry('terminate');
      expect(terminate).toMatchObject({
        id: wacid,
        direction: 'BUSINESS_INITIATED',
        status: 'COMPLETED',
        biz_opaque_callback_data: 'attempt-1',
        start_time: expect.any(String),
        end_time: expect.any(String),
        duration: expect.any(Number),
      });
    },
  );

  it('has the ids of both sides and the opaque text in every webhook', async () => {
    await scene.client.setPhone({ ...QUICK, talk_ms: 0 }, USER);
    const { wacid } = await scene.dial({ biz_opaque_callback_data: 'attempt-2' });
    await expect.poll(() => scene.names(), POLL).toContain('terminate');
    const user = { biz_opaque_callback_data: 'attempt-2', id: wacid };
    const sides = { from: '15550109999', to: USER, to_user_id: expect.stringMatching(/^US\./) };
    expect(scene.entry('connect')).toMatchObject({ ...user, ...sides });
    expect(scene.entry('ACCEPTED')).toMatchObject({ ...user, type: 'call', recipient_id: USER });
    expect(scene.entry('terminate')).toMatchObject({ ...user, ...sides });
  });

  it.each<[name: string, phone: PhoneDescription, names: string[], by: string, reason: string]>([
    ['rejects', { behaviour: 'reject' }, ['connect', 'RINGING', 'REJECTED'], 'callee', 'reject'],
    ['is busy', { behaviour: 'busy' }, ['connect', 'REJECTED'], 'callee', 'reject'],
    ['is ignored', { behaviour: 'ignore' }, ['connect', 'RINGING'], 'platform', 'no-answer'],
    ['is offline', { behaviour: 'offline' }, ['connect'], 'platform', 'no-answer'],
  ])(
    'to a phone that %s ends without having been picked up',
    async (_name, phone, names, by, reason) => {
      await scene.client.setPhone({ ...QUICK, ...phone }, USER);
      const { wacid } = await scene.dial();
      await expect.poll(() => scene.names(), POLL).toEqual([...names, 'terminate']);
      expect(scene.entry('terminate')).toMatchObject({ status: 'COMPLETED' });
      expect(scene.entry('terminate')).not.toHaveProperty('start_time');
      expect(scene.entry('terminate')).not.toHaveProperty('duration');
      expect((await scene.client.get(wacid)).ended).toEqual({ by, reason });
    },
  );

  it('can be ended by the business while it rings, once', async () => {
    await scene.client.setPhone({ ...QUICK, behaviour: 'ignore', ring_ms: 60_000 }, USER);
    const { wacid } = await scene.dial();
    await expect.poll(() => scene.names(), POLL).toContain('RINGING');
    const end = { messaging_product: 'whatsapp', action: 'terminate', call_id: wacid };
    expect(await scene.graph('POST', 'calls', end)).toMatchObject({ body: { success: true } });
    expect(await scene.graph('POST', 'calls', end)).toMatchObject({ status: 400 });
    await expect.poll(() => scene.names(), POLL).toEqual(['connect', 'RINGING', 'terminate']);
    await expect(scene.client.pickUp(wacid)).rejects.toThrow(/409/);
  });

  it('is declined once, and cannot be picked up while the business is being told', async () => {
    await scene.client.setPhone({ ...QUICK, behaviour: 'ignore', ring_ms: 60_000 }, USER);
    const { wacid } = await scene.dial();
    await scene.client.waitFor(wacid, ({ state }) => state === 'ringing');
    const both = [scene.client.decline(wacid), scene.client.pickUp(wacid)];
    const results = await Promise.allSettled(both);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    const { ended, acceptedAtMs } = await scene.client.get(wacid);
    expect(ended !== null).toBe(acceptedAtMs === null);
  });

  it('takes no action that belongs to calls of users', async () => {
    await scene.client.setPhone({ ...QUICK, behaviour: 'ignore', ring_ms: 60_000 }, USER);
    const { wacid } = await scene.dial();
    const reject = { messaging_product: 'whatsapp', action: 'reject', call_id: wacid };
    expect(await scene.graph('POST', 'calls', reject)).toMatchObject({ status: 400 });
    await scene.client.waitFor(wacid, ({ state }) => state === 'ringing');
    await scene.client.decline(wacid);
    await expect.poll(() => scene.names(), POLL).toContain('REJECTED');
  });

  it('counts what the business sends before the pickup as a violation', async () => {
    await scene.client.setPhone({ ...QUICK, ring_ms: 60_000 }, USER);
    const { wacid, peer } = await scene.dial();
    await expect.poll(() => scene.names(), POLL).toContain('connect');
    await peer.applyAnswer(scene.answerSdp());
    await peer.connected();
    peer.play({ kind: 'silence' });
    const call = await scene.client.waitFor(wacid, ({ heard }) => heard.packets > 5);
    expect(call.violations.map(({ rule }) => rule)).toEqual(['no media before accept']);
  });

  it('without media after the pickup fails with 138021', async () => {
    await scene.client.setPhone({ ...QUICK, first_media_limit_ms: 50 }, USER);
    const { wacid } = await scene.dial();
    const ended = await scene.client.waitFor(wacid, ({ state }) => state === 'ended');
    expect(ended.ended).toEqual({ by: 'platform', reason: 'no-media' });
    await expect.poll(() => scene.names(), POLL).toContain('terminate');
    const errors = [expect.objectContaining({ code: 138021 })];
    expect(scene.entry('terminate')).toMatchObject({ status: 'FAILED', errors });
  });

  it('can fail at Meta with a code', async () => {
    await scene.client.setPhone({ ...QUICK, behaviour: 'ignore', ring_ms: 60_000 }, USER);
    const { wacid } = await scene.dial();
    await scene.client.waitFor(wacid, ({ state }) => state === 'ringing');
    await scene.client.hangUp(wacid, { error_code: 138020 });
    await expect.poll(() => scene.names(), POLL).toContain('terminate');
    expect(scene.entry('terminate')).toMatchObject({
      status: 'FAILED',
      errors: [{ code: 138020 }],
    });
  });
});

describe('the webhooks of a call of the business', () => {
  const ANSWERED = ['connect', 'RINGING', 'ACCEPTED', 'terminate'];
  type Row = [
    name: string,
    webhooks: NonNullable<PhoneDescription['faults']>['webhooks'],
    names: string[],
  ];
  it.each<Row>([
    ['as usual', {}, ANSWERED],
    [
      'RINGING first',
      { connect_after: 'ringing' },
      ['RINGING', 'connect', 'ACCEPTED', 'terminate'],
    ],
    [
      'ACCEPTED before connect',
      { connect_after: 'accepted' },
      ['RINGING', 'ACCEPTED', 'connect', 'terminate'],
    ],
    ['no RINGING', { drop: ['ringing'] }, ['connect', 'ACCEPTED', 'terminate']],
    ['no ACCEPTED', { drop: ['accepted'] }, ['connect', 'RINGING', 'terminate']],
    [
      'terminate before connect',
      { terminate_before_connect: true },
      ['RINGING', 'ACCEPTED', 'terminate', 'connect'],
    ],
    ['everything twice', { duplicates: 1 }, ANSWERED.flatMap((name) => [name, name])],
    ['connect never', { drop: ['connect'] }, ['RINGING', 'ACCEPTED', 'terminate']],
  ])('can come in this order: %s', async (_name, webhooks, names) => {
    await scene.client.setPhone({ ...QUICK, ring_ms: 60_000, faults: { webhooks } }, USER);
    const { wacid } = await scene.dial();
    await scene.client.waitFor(wacid, ({ state }) => state === 'ringing');
    await scene.client.pickUp(wacid);
    const isTold = (webhook: { event: string; status: number | null }) => webhook.status === 200;
    const toldBeforeEnd = names.indexOf('terminate');
    await scene.client.waitFor(
      wacid,
      (call) => call.webhooks.filter(isTold).length >= toldBeforeEnd,
    );
    await scene.client.hangUp(wacid);
    await expect.poll(() => scene.names(), POLL).toEqual(names);
  });

  it('can be held back one by one', async () => {
    const faults = { webhooks: { delay_ms: { connect: 80 } } };
    await scene.client.setPhone({ ...QUICK, behaviour: 'ignore', ring_ms: 60_000, faults }, USER);
    await scene.dial();
    await expect.poll(() => scene.names(), POLL).toEqual(['RINGING', 'connect']);
  });

  it.each([
    ['connection', false],
    ['both', true],
  ] as const)('carry the SDP in %s', async (sdp_in, hasSession) => {
    await scene.client.setPhone({ ...QUICK, faults: { webhooks: { sdp_in } } }, USER);
    await scene.dial();
    await expect.poll(() => scene.names(), POLL).toContain('connect');
    const connect = scene.entry('connect') as { connection: { webrtc: { sdp: string } } };
    expect('session' in connect).toBe(hasSession);
    expect(JSON.parse(connect.connection.webrtc.sdp)).toMatchObject({
      type: 'answer',
      sdp: expect.stringContaining('a=ice-lite'),
    });
  });

  it('can lack the contacts, the phone number and the outer object', async () => {
    const webhooks = { contacts: 'no_phone', omit_object: true } as const;
    await scene.client.setPhone({ ...QUICK, faults: { webhooks } }, USER);
    await scene.dial();
    await expect.poll(() => scene.names(), POLL).toContain('ACCEPTED');
    expect(scene.entry('connect')).not.toHaveProperty('to');
    expect(scene.entry('ACCEPTED')).not.toHaveProperty('recipient_id');
    const texts = scene.receiver.arrived.map(({ text }) => JSON.parse(text) as object);
    expect(texts.map((text) => 'object' in text)).toEqual([true, false, false]);
  });
});

describe('a dial', () => {
  it.each<[name: string, extra: object, code: number, details: RegExp]>([
    ['without anybody to call', { to: undefined }, 100, /to and recipient/],
    ['with a business-scoped user id in to', { to: 'US.1349' }, 138001, /cannot be called/],
    ['to an id that nobody has', { to: undefined, recipient: 'US.1' }, 138001, /cannot be called/],
    ['without a session', { session: undefined }, 100, /session/],
    ['with an answer', { session: { sdp_type: 'answer', sdp: 'v=0' } }, 100, /'offer'/],
    ['with an invalid SDP', { session: { sdp_type: 'offer', sdp: 'v=0' } }, 100, /CRLF/],
    ['with too long an opaque text', { biz_opaque_callback_data: 'x'.repeat(513) }, 100, /512/],
    ['to somebody who has not approved', { to: '15550100002' }, 138006, /not approved/],
  ])('%s is refused', async (_name, extra, code, details) => {
    const peer = await scene.peer();
    const { body } = await scene.connect(peer.offer, extra);
    expect(body.error?.code).toBe(code);
    expect(body.error?.error_data.details).toMatch(details);
  });

  it.each([401, 400] as const)('without permission is answered %i when set so', async (status) => {
    await scene.client.changeNumber(scene.id, { permission_error_status: status });
    const peer = await scene.peer();
    expect((await scene.connect(peer.offer, { to: '15550100002' })).status).toBe(status);
  });

  it('reaches the same user by the business-scoped id, but a number wins', async () => {
    const { userId } = await scene.client.permission(USER);
    await scene.client.setPhone({ ...QUICK, behaviour: 'busy' });
    await scene.dial({ to: undefined, recipient: userId });
    await expect.poll(() => scene.names(), POLL).toContain('terminate');
    expect(scene.entry('connect')).toMatchObject({ to: USER, to_user_id: userId });
    const { wacid } = await scene.dial({ recipient: 'US.0000000000000001' });
    expect((await scene.client.get(wacid)).to).toBe(USER);
  });

  it.each(['5511987654321', '551187654321'])('knows both spellings of a number: %s', async (to) => {
    await scene.client.setPermission({ user: '5511987654321', status: 'permanent' });
    const { wacid } = await scene.dial({ to });
    expect((await scene.client.get(wacid)).to).toBe('5511987654321');
  });

  it('to a user who shows no number names only the business-scoped id, again and again', async () => {
    const phone = { ...QUICK, behaviour: 'busy', shows_number: false } as const;
    await scene.client.setPhone(
      { ...phone, user_id: 'US.77', name: 'Zoë', username: 'zoe.w' },
      USER,
    );
    await scene.client.setPermission({ user: 'US.77', status: 'permanent' });
    for (let count = 1; count <= 2; count++) {
      await scene.dial({ to: undefined, recipient: 'US.77' });
      const names = Array.from({ length: count }, () => [
        'connect',
        'REJECTED',
        'terminate',
      ]).flat();
      await expect.poll(() => scene.names(), POLL).toEqual(names);
    }
    expect(scene.entry('connect')).not.toHaveProperty('to');
    expect(scene.entry('connect')).toMatchObject({ to_user_id: 'US.77' });
    expect(scene.receiver.values()[0]?.contacts).toEqual([
      { profile: { name: 'Zoë', username: 'zoe.w' }, user_id: 'US.77' },
    ]);
    expect((await scene.client.permission(USER)).userId).toBe('US.77');
  });

  it('while a call with the user is live is refused', async () => {
    await scene.client.setPhone({ ...QUICK, ring_ms: 60_000 }, USER);
    const { peer } = await scene.dial();
    expect((await scene.connect(peer.offer)).body.error?.code).toBe(138003);
  });

  it('that comes while another to the same user is being made ready is refused', async () => {
    const platform = createPlatform({}, '127.0.0.1');
    const number = platform.numbers.default;
    platform.permissions.recordOf(number, platform.users.byPhone(USER)).set({ kind: 'permanent' });
    const { offer } = await scene.peer();
    const body = { to: USER, session: { sdp_type: 'offer', sdp: offer } };
    const both = [dial(platform, number, body), dial(platform, number, body)];
    const results = await Promise.allSettled(both);
    expect(results.map((result) => (result.status === 'rejected' ? result.reason : null))).toEqual([
      null,
      expect.objectContaining({ code: 138003 }),
    ]);
    platform.calls.close();
  });

  it('after 100 connected calls in 24 hours waits until the time that the error names', async () => {
    await scene.client.setPermission({ user: USER, connected_calls: 100 });
    const peer = await scene.peer();
    const { body } = await scene.connect(peer.offer);
    expect(body.error?.code).toBe(138012);
    expect(body.error?.error_data.details).toMatch(/next allowed: \d{4}-\d\d-\d\dT/);
    await scene.client.advanceClock(24 * 3_600_000);
    expect((await scene.connect(peer.offer)).status).toBe(200);
  });

  it.each<[name: string, traits: Parameters<Scene['client']['changeNumber']>[1], code: number]>([
    ['from a country without such calls', { bic_available: false }, 138013],
    ['without a payment method', { has_payment_method: false }, 131044],
    ['to a number that a test number may not reach', { allowed_recipients: ['1'] }, 131030],
    ['beyond the concurrent calls', { concurrent_calls: 0 }, 138002],
    ['beyond the dials of a day', { dials_per_day: 0 }, 138005],
  ])('%s is refused', async (_name, traits, code) => {
    await scene.client.changeNumber(scene.id, traits);
    const peer = await scene.peer();
    expect((await scene.connect(peer.offer)).body.error?.code).toBe(code);
  });

  it.each([
    [138004, 500],
    [138007, 500],
    [131055, 400],
    [80007, 429],
    [190, 401],
    [613, 429],
  ])('can be refused with %i', async (code, status) => {
    await scene.client.addFaults({ graph: [{ action: 'connect', kind: 'error', code }] });
    const peer = await scene.peer();
    const answer = await scene.connect(peer.offer);
    expect(answer).toMatchObject({ status, body: { error: { code } } });
    expect(await scene.client.list()).toEqual([]);
  });

  it('that acts and then loses the connection is a call all the same', async () => {
    await scene.client.setPhone({ ...QUICK, talk_ms: 0 }, USER);
    await scene.client.addFaults({ graph: [{ action: 'connect', kind: 'act-then-drop' }] });
    const peer = await scene.peer();
    const opaque = { biz_opaque_callback_data: 'attempt-lost' };
    await expect(scene.connect(peer.offer, opaque)).rejects.toThrow();
    await expect
      .poll(() => scene.names(), POLL)
      .toEqual(['connect', 'RINGING', 'ACCEPTED', 'terminate']);
    expect(scene.entry('connect')).toMatchObject(opaque);
  });

  it.each([
    ['server-error', 500, 0],
    ['success-false', 200, 0],
    ['slow', 200, 1],
  ] as const)('that meets %s is answered %i and makes %i calls', async (kind, status, count) => {
    await scene.client.addFaults({ graph: [{ action: 'connect', kind, delay_ms: 20 }] });
    const peer = await scene.peer();
    expect((await scene.connect(peer.offer)).status).toBe(status);
    expect(await scene.client.list()).toHaveLength(count);
  });
});

it('the call of another app is told like any other, with a text that nobody here wrote', async () => {
  const { wacid } = await scene.client.foreignCall({ ...QUICK, to: '15550100077', talk_ms: 0 });
  await expect
    .poll(() => scene.names(), POLL)
    .toEqual(['connect', 'RINGING', 'ACCEPTED', 'terminate']);
  expect(scene.entry('connect')).toMatchObject({
    id: wacid,
    to: '15550100077',
    biz_opaque_callback_data: 'attempt-of-another-app',
    session: { sdp_type: 'answer' },
  });
  expect((await scene.client.get(wacid)).isForeign).toBe(true);
});
