// Steps of rules as a caller hears them: a menu, a queue with music, voicemail, an endpoint that decides.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { TONES } from '../local/tone-sounds.ts';
import { OpusDecoder } from '../local/simulator/opus.ts';
import { findTones } from '../local/simulator/spectrum.ts';
import { readRecording } from '../support/recording-reader.ts';
import { useStack } from '../support/use-stack.ts';
import { AGENT_HZ, CALLER_HZ, hasHeard, Scene, type RingingCall } from './scene.ts';
import { entriesOf } from './trouble.ts';

/** The last note of relay/sounds/hold.ogg. */
const HOLD_HZ = 784;

const stack = useStack('steps');
let scene: Scene;
beforeAll(async () => {
  scene = await Scene.open(stack());
  const { admin } = stack();
  await admin.request('POST', '/v1/teams', { id: 'sales', name: 'Sales' });
  const { data } = await admin.request<{ data: { id: string; name: string }[] }>(
    'GET',
    '/v1/agents',
  );
  const agent_ids = data.filter(({ name }) => name === 'Ana').map(({ id }) => id);
  await admin.request('PUT', '/v1/teams/sales/members', { agent_ids });
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

const rules = (...otherwise: object[]) =>
  stack().admin.request('PUT', '/v1/rules', { rules: { rules: [], otherwise } });

const press = (phone: { id: string }, keys: string) => stack().simulator.play(phone.id, { keys });

/** Waits until the call of a phone is at a step. */
async function atStep(phone: RingingCall['phone'], step: string): Promise<RingingCall> {
  const { call } = await scene.events.first(
    step,
    (notice) => notice.call.provider_call_id === phone.wacid && notice.call.step === step,
  );
  return { call, phone };
}

it('a caller presses a key in a menu, waits with music, and speaks with the agent who comes to work', async () => {
  await rules({
    menu: { prompt: 'sound:menu', seconds: 20, keys: { 2: [{ queue: { team: 'sales' } }] } },
  });
  const phone = await scene.dial();
  await scene.phoneHears(phone.id, TONES.menu.tones[0].hz);
  await press(phone, '2');
  const waiting = await atStep(phone, 'queue');
  await scene.phoneHears(phone.id, HOLD_HZ);
  // She is at work while her client listens.
  const desk = await scene.ana.events();
  await desk.first('ring', ({ type, call }) => type === 'ring' && call.id === waiting.call.id);
  const agent = await scene.join(scene.ana, waiting.call.id);
  await Promise.all([agent.hears(CALLER_HZ), scene.phoneHears(phone.id, AGENT_HZ)]);
  const { record } = await scene.hangUp(waiting);
  desk.close();
  expect(record).toMatchObject({ outcome: { reason: 'caller-hung-up' }, step: null });
  expect(entriesOf(record, 'digit')).toMatchObject([{ detail: { digit: '2', step: 'queue' } }]);
});

it('a message is recorded after the beep, and can be fetched with the voice of the caller in it', async () => {
  await rules({ voicemail: {} });
  const phone = await scene.dial();
  const call = await atStep(phone, 'voicemail');
  await scene.phoneHears(phone.id, TONES.beep.tones[0].hz);
  await scene.events.first(
    'the end of the beep',
    (notice) => notice.event === 'played' && notice.call.id === call.call.id,
  );
  // What is said from here on is two seconds at least, however busy the machine is.
  const { heard } = await stack().simulator.get(phone.id);
  await stack().simulator.waitFor(
    phone.id,
    (now) => now.heard.packets >= heard.packets + 100,
    30_000,
  );
  const { record } = await scene.hangUp(call);
  expect(record).toMatchObject({
    outcome: { result: 'success', reason: 'voicemail-left' },
    follow_up: 'voicemail',
  });
  const { left } = readRecording(await recordingOf(call));
  expect(shareOf(left, CALLER_HZ)).toBeGreaterThan(0.8);
});

async function recordingOf({ call }: RingingCall): Promise<Buffer> {
  const { baseUrl, key } = stack().admin;
  const isThere = async () => {
    const response = await fetch(`${baseUrl}/v1/calls/${call.id}/recording`, {
      headers: { authorization: `Bearer ${key}` },
    });
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  };
  return await vi.waitFor(isThere, { timeout: 30_000, interval: 100 });
}

/** How much of what can be heard in a voice is this tone. */
function shareOf(voice: readonly Buffer[], hz: number): number {
  const decoder = new OpusDecoder();
  const tones = voice
    .map((packet) => decoder.decode(packet) ?? new Int16Array(0))
    .flatMap((pcm) => findTones(pcm, OpusDecoder.sampleRateHz, 1))
    .filter(({ dbfs }) => dbfs > -40);
  decoder.close();
  // One packet of 20 ms tells tones 50 Hz apart.
  return tones.filter((tone) => Math.abs(tone.hz - hz) < 50).length / tones.length;
}

it('an endpoint is asked, knows that it is asked by us, and decides', async () => {
  const asked: unknown[] = [];
  const endpoint = await serve(async (request) => {
    const secret = stack().secrets.ASK_SECRET;
    asked.push(new Webhook(secret).verify(await read(request), request.headers as never));
    return { steps: [{ play: { prompt: 'sound:confirm' } }, { reject: {} }] };
  });
  const { port } = endpoint.address() as AddressInfo;
  await rules({ ask: { url: `http://127.0.0.1:${port}/route`, data: { shop: 'porto' } } });
  const phone = await scene.dial();
  const report = await stack().simulator.waitFor(phone.id, ({ state }) => state === 'ended');
  await new Promise((resolve) => endpoint.close(resolve));
  for (const { hz } of TONES.confirm.tones) expect(hasHeard(report, hz)).toBe(true);
  const call = await scene.callOf(phone);
  const { record } = await scene.ended({ call, phone });
  expect(record.outcome?.reason).toBe('rejected-by-rule');
  expect(asked).toMatchObject([
    { type: 'call.ask', data: { call: { id: call.id, step: 'ask' }, data: { shop: 'porto' } } },
  ]);
});

async function serve(answer: (request: IncomingMessage) => Promise<object>): Promise<Server> {
  const server = createServer((request, response) => {
    void answer(request).then((body) => {
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
