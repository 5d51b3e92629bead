// Hold and prompts over a real livekit-server, as the phone and the room hear them.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loopFile, SAMPLE_RATE_HZ } from '../local/loop-file.ts';
import type { Participant } from './support/participant.ts';
import { Rig, type Call } from './support/rig.ts';
import { until } from './support/until.ts';

const CALLER_HZ = 440;
const AGENT_HZ = 1_000;
const PROMPT_HZ = 1_700;
/** Of the caller's on hold: so far from the others that the edges of those hold nothing of it. */
const PRIVATE_HZ = 3_000;
/** Notes of relay/sounds/hold.ogg. */
const HOLD_HZ = [523, 659, 784];

let rig: Rig;
beforeEach(async () => {
  rig = await Rig.start();
});
afterEach(() => rig.stop());

/** A prompt of this many seconds. */
const promptFile = (seconds: number): Buffer =>
  loopFile(
    Int16Array.from({ length: seconds * SAMPLE_RATE_HZ }, (_, index) =>
      Math.round(8_000 * Math.sin((2 * Math.PI * PROMPT_HZ * index) / SAMPLE_RATE_HZ)),
    ),
  );

const nowMs = () => performance.timeOrigin + performance.now();

/** When the caller has heard a tone, judged in windows of 100 ms. */
const spans = ({ phone }: Call, hz: number) =>
  phone.heard().tones.filter((tone) => Math.abs(tone.hz - hz) < 15);

/** Whether the caller has heard a tone after a time, in ms since the epoch. */
const hears = (call: Call, hz: number, afterMs: number) =>
  spans(call, hz).some(({ toMs }) => toMs > afterMs);

const framesOf = (agent: Participant, hz: number) => agent.heard.get(hz) ?? 0;

/** One stream: every number once, every packet 20 ms after the one before. */
const UNBROKEN = { lost: 0, outOfOrder: 0, duplicates: 0, ptimeViolations: 0, timestampJumps: [] };

/** A call whose agent and caller hear each other. */
async function talkingCall(): Promise<{ call: Call; agent: Participant }> {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna', [CALLER_HZ, PRIVATE_HZ]);
  await agent.speak(AGENT_HZ);
  await rig.worker.event(call.id, 'ready');
  call.phone.startTalking({ kind: 'tone', hz: CALLER_HZ });
  rig.open(call);
  await until('the caller hears the agent', () => hears(call, AGENT_HZ, 0));
  await until('the agent hears the caller', () => framesOf(agent, CALLER_HZ) > 20);
  return { call, agent };
}

it('on hold the phone hears the hold sound and the agent nothing of the caller, not even afterwards', async () => {
  const { call, agent } = await talkingCall();
  rig.worker.want(call.id, { hold: true });
  const heldFromMs = nowMs();
  await until('the hold sound', () => HOLD_HZ.some((hz) => hears(call, hz, heldFromMs)));
  // What was said before is through by then: the next tone is of the time on hold.
  call.phone.startTalking({ kind: 'tone', hz: PRIVATE_HZ });
  await until('all notes of the hold sound', () =>
    HOLD_HZ.every((hz) => hears(call, hz, heldFromMs)),
  );
  const held = framesOf(agent, CALLER_HZ);
  call.phone.startTalking({ kind: 'tone', hz: CALLER_HZ });
  rig.worker.want(call.id, { hold: false });
  const backFromMs = nowMs();
  await until('the caller hears the agent', () => hears(call, AGENT_HZ, backFromMs + 200));
  await until('the agent hears the caller', () => framesOf(agent, CALLER_HZ) > held + 20);
  expect(framesOf(agent, PRIVATE_HZ)).toBe(0);
  expect(call.phone.heard()).toMatchObject(UNBROKEN);
  expect(call.phone.heard().ssrcs).toHaveLength(1);
});

it('a prompt is heard instead of the agent, who hears the caller; then the agent again', async () => {
  rig.worker.prompts.set('welcome', promptFile(1));
  const { call, agent } = await talkingCall();
  const before = framesOf(agent, CALLER_HZ);
  rig.worker.want(call.id, { playing: { id: 1, prompt: 'welcome', loop: false } });
  const played = await rig.worker.event(call.id, 'played');
  expect(played).toMatchObject({ id: 1, completed: true });
  const prompt = spans(call, PROMPT_HZ);
  const [fromMs, toMs] = [prompt.at(0)?.fromMs ?? 0, prompt.at(-1)?.toMs ?? 0];
  expect(toMs - fromMs).toBeGreaterThan(500);
  const within = spans(call, AGENT_HZ).filter((span) => span.fromMs > fromMs && span.toMs < toMs);
  expect(within).toEqual([]);
  await until('the caller hears the agent', () => hears(call, AGENT_HZ, played.at_ms + 200));
  // A second of the caller's voice is fifty frames.
  expect(framesOf(agent, CALLER_HZ) - before).toBeGreaterThan(30);
  // It is known from now on.
  rig.worker.want(call.id, { playing: { id: 2, prompt: 'welcome', loop: false } });
  await rig.worker.event(call.id, 'played', ({ id }) => id === 2);
  expect(rig.worker.promptsAsked).toEqual(['welcome']);
  expect(call.phone.heard()).toMatchObject(UNBROKEN);
});

it('a prompt that repeats is heard without a gap until it is withdrawn, and cut off then', async () => {
  rig.worker.prompts.set('music', promptFile(1));
  const { call } = await talkingCall();
  rig.worker.want(call.id, { playing: { id: 1, prompt: 'music', loop: true } });
  await until('three turns', () => {
    const heardMs = spans(call, PROMPT_HZ).map(({ fromMs, toMs }) => toMs - fromMs);
    return heardMs.reduce((sum, ms) => sum + ms, 0) > 2_500;
  });
  rig.worker.want(call.id, { playing: null });
  const cutAtMs = nowMs();
  await until('the caller hears the agent', () => hears(call, AGENT_HZ, cutAtMs + 200));
  const agent = spans(call, AGENT_HZ).at(-1);
  // They share a window of the phone's at most.
  expect(spans(call, PROMPT_HZ).at(-1)?.fromMs).toBeLessThan(agent?.fromMs ?? 0);
  expect(spans(call, PROMPT_HZ).at(-1)?.toMs).toBeLessThan(agent?.toMs ?? 0);
  expect(rig.worker.events(call.id).map(({ type }) => type)).not.toContain('played');
  expect(call.phone.heard()).toMatchObject(UNBROKEN);
});

it('a prompt that the worker does not have is reported, and the agent is heard on', async () => {
  const { call } = await talkingCall();
  rig.worker.want(call.id, { playing: { id: 7, prompt: 'none', loop: false } });
  const played = await rig.worker.event(call.id, 'played');
  expect(played).toMatchObject({ id: 7, completed: false });
  await until('the caller hears the agent', () => hears(call, AGENT_HZ, played.at_ms + 200));
  expect(call.phone.heard()).toMatchObject(UNBROKEN);
});

it('the relay has a ring-back tone of its own', async () => {
  const { call } = await talkingCall();
  rig.worker.want(call.id, { playing: { id: 1, prompt: 'sound:ring-back', loop: true } });
  await until('the tone', () => hears(call, 425, 0));
  expect(rig.worker.promptsAsked).toEqual([]);
});
