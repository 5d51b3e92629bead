import { afterEach, expect, it } from 'vitest';
import { LitePhone, SdpValidationError } from '../../local/simulator/phone.ts';
import { shareOfTone } from '../../local/simulator/hearing.ts';
import { BusinessPeer } from './business-peer.ts';

const open: { close(): unknown }[] = [];
const kept = <Closable extends { close(): unknown }>(one: Closable): Closable => {
  open.push(one);
  return one;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

const nowMs = () => performance.timeOrigin + performance.now();
const POLL = { timeout: 8000, interval: 50 };

it.each(['active', 'passive'] as const)(
  'a business that answers %s and the phone hear each other',
  async (role) => {
    const phone = kept(await LitePhone.create({ play: { kind: 'tone', hz: 440 } }));
    const business = kept(await BusinessPeer.answering(phone.offer, role));
    expect(business.answer).toContain(`a=setup:${role}`);
    await phone.applyAnswer(business.answer);
    await phone.connected;
    await business.connected();
    phone.markAccepted();
    phone.startTalking();
    business.play({ kind: 'tone', hz: 1000 });
    const share = (report: ReturnType<LitePhone['heard']>, hz: number) =>
      shareOfTone(report, hz, nowMs() - 600, nowMs() - 150);
    await expect.poll(() => share(phone.heard(), 1000), POLL).toBeGreaterThan(0.9);
    await expect.poll(() => share(business.heard(), 440), POLL).toBeGreaterThan(0.9);
    expect(share(phone.heard(), 440)).toBe(0);
    expect(phone.heard()).toMatchObject({ packetsBeforeAccept: 0, lost: 0, ptimeViolations: 0 });
    expect(phone.ice()).toMatchObject({ requestsSent: 0, pairSwitches: 0 });
  },
);

it('media before the accept is counted as such', async () => {
  const phone = kept(await LitePhone.create());
  const business = kept(await BusinessPeer.answering(phone.offer));
  await phone.applyAnswer(business.answer);
  await business.connected();
  business.play({ kind: 'silence' });
  await expect.poll(() => phone.heard().packetsBeforeAccept, POLL).toBeGreaterThan(5);
});

it('keys arrive as events, and the audio goes on behind them without a jump', async () => {
  const phone = kept(await LitePhone.create());
  const business = kept(await BusinessPeer.answering(phone.offer));
  await phone.applyAnswer(business.answer);
  await phone.connected;
  await business.connected();
  phone.startTalking();
  await expect.poll(() => business.heard().packets, POLL).toBeGreaterThan(5);
  phone.press('1#', 100);
  const digits = () => business.heard().dtmf.map(({ digit }) => digit);
  await expect.poll(digits, POLL).toEqual(['1', '#']);
  const before = business.heard().packets;
  await expect.poll(() => business.heard().packets, POLL).toBeGreaterThan(before + 20);
  expect(business.heard()).toMatchObject({
    dtmf: [{ durationMs: 100 }, { durationMs: 100 }],
    lost: 0,
    timestampJumps: [],
    payloadTypes: [111, 126],
  });
});

it('a phone that stops sending is silent on the wire, then goes on', async () => {
  const phone = kept(await LitePhone.create());
  const business = kept(await BusinessPeer.answering(phone.offer));
  await phone.applyAnswer(business.answer);
  await phone.connected;
  await business.connected();
  phone.startTalking();
  await expect.poll(() => business.heard().packets, POLL).toBeGreaterThan(10);
  phone.stopSending();
  const sent = phone.said().packets;
  await expect
    .poll(() => nowMs() - (business.heard().lastPacketAtMs ?? 0), POLL)
    .toBeGreaterThan(200);
  expect(phone.said().packets).toBe(sent);
  phone.startTalking();
  await expect.poll(() => business.heard().arrivalGaps.length, POLL).toBe(1);
});

it('a phone whose voice gets lost still reports', async () => {
  const phone = kept(await LitePhone.create());
  const business = kept(await BusinessPeer.answering(phone.offer));
  await phone.applyAnswer(business.answer);
  await phone.connected;
  await business.connected();
  phone.startTalking();
  await expect.poll(() => business.heard().packets, POLL).toBeGreaterThan(10);
  phone.stopSending(true);
  const sent = phone.said().packets;
  await expect.poll(() => business.reports, POLL).toBeGreaterThan(0);
  expect(phone.said().packets).toBe(sent);
});

it('an answer Meta would refuse is refused, and a valid one still works', async () => {
  const phone = kept(await LitePhone.create());
  const business = kept(await BusinessPeer.answering(phone.offer));
  const wrong = business.answer.replace('a=setup:active', 'a=setup:actpass');
  await expect(phone.applyAnswer(wrong)).rejects.toThrow(SdpValidationError);
  await phone.applyAnswer(business.answer);
  await phone.connected;
  await expect(phone.applyAnswer(`${business.answer}a=ssrc:1 cname:x\r\n`)).rejects.toThrow();
});

it('another certificate than the answer promised does not connect', async () => {
  const phone = kept(await LitePhone.create());
  const business = kept(await BusinessPeer.answering(phone.offer));
  const forged = business.answer.replace(/(a=fingerprint:sha-256 )..:/, '$100:');
  await phone.applyAnswer(forged === business.answer ? forged.replace('256 00', '256 01') : forged);
  await expect(phone.connected).rejects.toThrow(/fingerprint/);
});
