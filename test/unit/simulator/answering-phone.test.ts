import { afterEach, expect, it } from 'vitest';
import { LitePhone, type AnsweringOptions } from '../../local/simulator/phone.ts';
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

type Row = [name: string, options: AnsweringOptions, rewritten: 'active' | 'passive'];

it.each<Row>([
  ['passive, as most report it', { setup: 'passive' }, 'passive'],
  ['active, as in the documented sample', { setup: 'active' }, 'passive'],
  ['actpass that the business reads as passive', { setup: 'actpass' }, 'passive'],
  ['actpass that the business reads as active', { setup: 'actpass' }, 'active'],
  ['the documented shape', { shape: 'documented', setup: 'active' }, 'passive'],
])('hears a business that offered, and is heard: %s', async (_name, options, rewritten) => {
  const business = kept(await BusinessPeer.offering());
  const phone = kept(await LitePhone.answering(business.offer, options));
  expect(phone.answer).toContain(`a=setup:${options.setup}\r\n`);
  expect(phone.answer).toContain('a=ice-lite\r\n');
  expect(phone.answer).toContain('a=mid:0\r\n');
  await business.applyAnswer(phone.answer ?? '', rewritten);
  await phone.connected;
  await business.connected();
  phone.markAccepted();
  phone.startTalking({ kind: 'tone', hz: 600 });
  business.play({ kind: 'tone', hz: 1500 });
  const share = (report: ReturnType<LitePhone['heard']>, hz: number) =>
    shareOfTone(report, hz, nowMs() - 600, nowMs() - 150);
  await expect.poll(() => share(phone.heard(), 1500), POLL).toBeGreaterThan(0.9);
  await expect.poll(() => share(business.heard(), 600), POLL).toBeGreaterThan(0.9);
  expect(phone.ice()).toMatchObject({ requestsSent: 0, pairSwitches: 0 });
});

it('follows the payload types of the offer', async () => {
  const business = kept(await BusinessPeer.offering());
  const renumbered = business.offer
    .replace(/^(m=audio .*) 111 126/m, '$1 96 97')
    .replaceAll(/:111 /g, ':96 ')
    .replaceAll(/:126 /g, ':97 ');
  const phone = kept(await LitePhone.answering(renumbered));
  expect(phone.payloadTypes).toMatchObject({ opus: 96, events: 97 });
  expect(phone.answer).toContain('SAVPF 96 97\r\n');
  expect(phone.answer).toContain('a=rtpmap:96 opus/48000/2\r\n');
});

it('takes the passive role when the business offers only to be active', async () => {
  const business = kept(await BusinessPeer.offering());
  const offer = business.offer.replace('a=setup:actpass', 'a=setup:active');
  const phone = kept(await LitePhone.answering(offer, { setup: 'actpass' }));
  expect(phone.answer).toContain('a=setup:passive\r\n');
});
