// What a connected call sounds like, by the API and as caller and agent hear it: hold, prompts, keys.
import { RoomEvent } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished, vi } from 'vitest';
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
  promptId = await upload('long', toneOf(30));
});
afterEach(() => scene.clear());
afterAll(() => scene?.events.close());

const toneOf = (seconds: number): Uint8Array =>
  loopFile(
    Int16Array.from({ length: seconds * SAMPLE_RATE_HZ }, (_, index) =>
      Math.round(8_000 * Math.sin((2 * Math.PI * PROMPT_HZ * index) / SAMPLE_RATE_HZ)),
    ),
  );

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

it('where calls are recorded, that is the first thing that callers hear, and it is in the recording', async () => {
  const { admin } = stack();
  const announcement = await upload('recorded', toneOf(2));
  // The relay then has it, however slow this machine is.
  const before = await scene.talk();
  await tell(before, 'play', { prompt_id: announcement });
  await entries(before, 'played', 1);
  await scene.hangUp(before);
  const numbers = await admin.request<{ data: { id: string }[] }>('GET', '/v1/numbers');
  const path = `/v1/numbers/${numbers.data[0]?.id}`;
  const settings = { recording: 'always', recording_announcement: announcement };
  await admin.request('PATCH', path, settings);
  onTestFinished(() => admin.request('PATCH', path, { recording: 'off' }));
  const call = await scene.talk();
  const { record, report } = await scene.hangUp(call);
  const [first, second] = report.heard.tones;
  expect([first?.hz, second?.hz].map((hz) => Math.round((hz ?? 0) / 100) * 100)).toEqual([
    PROMPT_HZ,
    AGENT_HZ,
  ]);
  const detail = { recording: true, announcement };
  expect(entriesOf(record, 'answered')).toMatchObject([{ detail }]);
  expect(entriesOf(record, 'played')).toMatchObject([{ detail: { completed: true } }]);
  const kept = await scene.events.first(
    'the recording',
    ({ event, call: { id } }) => event === 'recording-kept' && id === record.id,
  );
  expect(kept.call).toMatchObject({
    recording: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
  });
  expectUnbrokenCall({ record, report });
});
