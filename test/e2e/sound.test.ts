// What a connected call sounds like, by the API and as caller and agent hear it: hold, prompts, keys.
import { RoomEvent } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { loopFile, SAMPLE_RATE_HZ } from '../local/loop-file.ts';
import { useStack } from '../support/use-stack.ts';
import { AGENT_HZ, CALLER_HZ, Scene, type AnsweredCall } from './scene.ts';
import { entriesOf, expectUnbrokenCall } from './trouble.ts';

const PROMPT_HZ = 1_700;
/** Another tone of the caller's, which no agent may hear. */
const PRIVATE_HZ = 620;
/** The last note of relay/sounds/hold.ogg. */
const HOLD_HZ = 784;

const stack = useStack('sound');
let scene: Scene;
/** Half a minute of a tone. */
let promptId: string;
beforeAll(async () => {
  scene = await Scene.open(stack());
  const samples = Int16Array.from({ length: 30 * SAMPLE_RATE_HZ }, (_, index) =>
    Math.round(8_000 * Math.sin((2 * Math.PI * PROMPT_HZ * index) / SAMPLE_RATE_HZ)),
  );
  promptId = await upload('long', loopFile(samples));
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

async function upload(name: string, file: Uint8Array): Promise<string> {
  const { baseUrl, key } = stack().admin;
  const response = await fetch(`${baseUrl}/v1/prompts?name=${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'audio/ogg' },
    body: file as Uint8Array<ArrayBuffer>,
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
}

const tell = (call: AnsweredCall, what: string, body: object = {}) =>
  scene.ana.request('POST', `/v1/calls/${call.call.id}/${what}`, body);

/** The details of the entries of a type in the call's timeline, once there are so many. */
const entries = (call: AnsweredCall, type: string, count: number) =>
  vi.waitFor(
    async () => {
      const found = entriesOf(await stack().admin.call(call.call.id), type);
      expect(found.length).toBeGreaterThanOrEqual(count);
      return found.map(({ detail }) => detail);
    },
    { timeout: 15_000, interval: 50 },
  );

/** Waits until the caller hears a tone, from now on. */
function callerHears(call: AnsweredCall, hz: number) {
  const afterMs = Date.now() + 200;
  return stack().simulator.waitFor(
    call.phone.id,
    ({ heard }) => heard.tones.some((tone) => Math.abs(tone.hz - hz) < 20 && tone.toMs > afterMs),
    15_000,
  );
}

it('on hold: the caller hears the hold sound and nobody hears the caller, until they are taken off it', async () => {
  const call = await scene.talk();
  await tell(call, 'hold', { on: true });
  await callerHears(call, HOLD_HZ);
  call.agent.listenFor(PRIVATE_HZ);
  await stack().simulator.play(call.phone.id, { signal: { kind: 'tone', hz: PRIVATE_HZ } });
  await callerHears(call, HOLD_HZ);
  await stack().simulator.play(call.phone.id, { signal: { kind: 'tone', hz: CALLER_HZ } });
  await callerHears(call, HOLD_HZ);
  await tell(call, 'hold', { on: false });
  await Promise.all([callerHears(call, AGENT_HZ), call.agent.hears(CALLER_HZ)]);
  expect(call.agent.heard.map(({ hz }) => hz)).not.toContain(PRIVATE_HZ);
  expectUnbrokenCall(await scene.hangUp(call));
});

it('a prompt is heard instead of the agent, and cut off by another one, whose end is in the timeline', async () => {
  const call = await scene.talk();
  await tell(call, 'play', { prompt_id: promptId });
  await callerHears(call, PROMPT_HZ);
  // Whoever is played something is heard all the same.
  await call.agent.hears(CALLER_HZ);
  const short = await upload('short', loopFile(new Int16Array(SAMPLE_RATE_HZ / 2)));
  await tell(call, 'play', { prompt_id: short });
  expect(await entries(call, 'played', 1)).toMatchObject([{ completed: true }]);
  await callerHears(call, AGENT_HZ);
  const { record, report } = await scene.hangUp(call);
  const prompt = report.heard.tones.filter(({ hz }) => Math.abs(hz - PROMPT_HZ) < 20);
  const agent = report.heard.tones.findLast(({ hz }) => Math.abs(hz - AGENT_HZ) < 20);
  expect(prompt.at(-1)?.toMs).toBeLessThan(agent?.toMs ?? 0);
  expectUnbrokenCall({ record, report });
});

it('a prompt that is stopped is not played to its end', async () => {
  const call = await scene.talk();
  await tell(call, 'play', { prompt_id: promptId, loop: true });
  await callerHears(call, PROMPT_HZ);
  await tell(call, 'play/stop');
  await callerHears(call, AGENT_HZ);
  const { record, report } = await scene.hangUp(call);
  expect(entriesOf(record, 'played')).toEqual([]);
  expectUnbrokenCall({ record, report });
});

it('keys go both ways, and those of the caller are in the timeline', async () => {
  const call = await scene.talk();
  const pressed: string[] = [];
  call.agent.room.on(RoomEvent.DtmfReceived, (_code, digit) => pressed.push(digit));
  await stack().simulator.play(call.phone.id, { keys: '12#' });
  expect(await entries(call, 'digit', 3)).toEqual([{ digit: '1' }, { digit: '2' }, { digit: '#' }]);
  await vi.waitFor(() => expect(pressed).toEqual(['1', '2', '#']), { timeout: 5_000 });
  for (const [code, digit] of [
    [4, '4'],
    [4, '4'],
    [10, '*'],
  ] as const)
    await call.agent.room.localParticipant?.publishDtmf(code, digit);
  const { heard } = await stack().simulator.waitFor(
    call.phone.id,
    ({ heard: { dtmf } }) => dtmf.length === 3 && dtmf.at(-1)?.ends === 3,
    15_000,
  );
  expect(heard.dtmf.map(({ digit, durationMs }) => [digit, durationMs])).toEqual([
    ['4', 100],
    ['4', 100],
    ['*', 100],
  ]);
  await scene.stillTalk(call);
  expectUnbrokenCall(await scene.hangUp(call));
});
