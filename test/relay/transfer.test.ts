// AI agents that ask for somebody else to have the call, by LiveKit's own RPC over a real livekit-server.
import { RpcError } from '@livekit/rtc-node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Participant } from './support/participant.ts';
import { Rig, type Call } from './support/rig.ts';
import { aiToken, joinToken } from './support/rooms.ts';
import { until } from './support/until.ts';

const METHOD = 'roomline.transfer';
const toSales = JSON.stringify({ to: { team: 'sales' }, summary: 'wants a quote' });

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.stop());

/** A call whose caller hears an AI agent. */
async function withAssistant(): Promise<{ call: Call; ai: Participant }> {
  const call = await rig.ringingCall({ audience: { ai: true } });
  const ai = await rig.join(await aiToken(rig.livekit, call.id, 'assistant'));
  await ai.speak(700);
  await rig.worker.event(call.id, 'ready');
  return { call, ai };
}

const ask = (from: Participant, payload: string, method = METHOD): Promise<string> =>
  from.room.localParticipant?.performRpc({ destinationIdentity: 'caller', method, payload }) ??
  Promise.reject(new Error('not in the room'));

/** The code and text of a refusal. */
const refusalOf = (asking: Promise<string>): Promise<string> =>
  asking.then(
    (answer) => `granted: ${answer}`,
    (error: unknown) =>
      error instanceof RpcError ? `${Number(error.code)} ${error.message}` : String(error),
  );

const asked = (call: Call) =>
  rig.worker.events(call.id).filter(({ type }) => type === 'transfer-asked');

it('are answered, and the worker is told what they want', async () => {
  const { call, ai } = await withAssistant();
  expect(JSON.parse(await ask(ai, toSales))).toEqual({ asked: true });
  expect(await rig.worker.event(call.id, 'transfer-asked')).toMatchObject({
    identity: 'assistant',
    request: { to: { team: 'sales' }, summary: 'wants a quote' },
  });
  await ask(ai, JSON.stringify({ to: { ai: { name: 'other' } } }));
  await until('the second request', () => asked(call).length === 2);
});

it('see what becomes of it in an attribute of the caller', async () => {
  const { call, ai } = await withAssistant();
  const state = () => ai.room.remoteParticipants.get('caller')?.attributes['roomline.transfer'];
  await ask(ai, toSales);
  await until('asked', () => state() === 'asked');
  rig.worker.want(call.id, { transfer: 'failed' });
  await until('failed', () => state() === 'failed');
  await ask(ai, toSales);
  await until('asked again', () => state() === 'asked');
  rig.worker.want(call.id, { transfer: 'failed' });
  await until('failed again', () => state() === 'failed');
});

it('are refused what is no request, with a reason', async () => {
  const { call, ai } = await withAssistant();
  expect(await refusalOf(ask(ai, 'hello'))).toBe('1500 the payload is no JSON');
  expect(await refusalOf(ask(ai, '{"to":{}}'))).toMatch(/^1500 to: one of `team`/);
  expect(await refusalOf(ask(ai, '{"to":{"team":"a","agent_id":"b"}}'))).toMatch(/^1500 to: /);
  expect(await refusalOf(ask(ai, `{"to":{"team":"a"},"x":1}`))).toMatch(/^1500 /);
  expect(await refusalOf(ask(ai, ' '.repeat(8_193)))).toMatch(/^1402 /);
  expect(await refusalOf(ask(ai, toSales, 'roomline.hang-up'))).toMatch(/^1400 /);
  expect(asked(call)).toEqual([]);
});

it('must be heard by the caller, and people cannot ask', async () => {
  const { call, ai } = await withAssistant();
  const person = await rig.agent(call, 'anna');
  const guest = await rig.join(await joinToken(rig.livekit, call.id, 'guest'));
  await until('both to be known', () =>
    ['anna', 'guest'].every((identity) =>
      rig.worker
        .events(call.id)
        .some((event) => event.type === 'participant-joined' && event.identity === identity),
    ),
  );
  const notAllowed = '1500 only for an AI agent that the caller hears';
  expect(await refusalOf(ask(person, toSales))).toBe(notAllowed);
  expect(await refusalOf(ask(guest, toSales))).toBe(notAllowed);
  const { rev } = rig.worker.want(call.id, { audience: { ai: false } });
  await until('the word of it', () =>
    rig.worker.frames.some(
      (frame) => frame.type === 'call.is' && frame.call_id === call.id && frame.rev === rev,
    ),
  );
  expect(await refusalOf(ask(ai, toSales))).toBe(notAllowed);
  expect(asked(call)).toEqual([]);
});
