import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rig, type Call } from './support/rig.ts';
import { joinToken } from './support/rooms.ts';
import { until } from './support/until.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.stop());

const heardTone = (call: Call, hz: number) =>
  call.phone.heard().tones.some((tone) => Math.abs(tone.hz - hz) < 15);

/** When a tone was heard last, ms since the epoch; 0 for never. */
const lastHeard = (call: Call, hz: number) =>
  Math.max(
    0,
    ...call.phone
      .heard()
      .tones.filter((tone) => Math.abs(tone.hz - hz) < 15)
      .map(({ toMs }) => toMs),
  );

const nobody = { named: [], excluded: [] };

it('does not let the caller hear a stranger, says so once, and lets the agent be heard', async () => {
  const call = await rig.ringingCall();
  const stranger = await rig.join(await joinToken(rig.livekit, call.id, 'stranger'));
  await stranger.speak(700);
  await rig.worker.event(call.id, 'publisher-skipped', ({ identity }) => identity === 'stranger');
  const agent = await rig.agent(call, 'anna');
  await agent.speak(1_000);
  await rig.worker.event(call.id, 'ready', ({ identity }) => identity === 'anna');
  rig.open(call);
  await until('the caller hears the agent', () => heardTone(call, 1_000));
  await agent.unpublish();
  await until('a second of what is left', () => {
    const { packets } = call.phone.heard();
    return packets > 150;
  });
  expect(heardTone(call, 700)).toBe(false);
  expect(
    rig.worker.events(call.id).filter(({ type }) => type === 'publisher-skipped'),
  ).toHaveLength(1);
  expect(rig.worker.events(call.id)).not.toContainEqual(
    expect.objectContaining({ type: 'ready', identity: 'stranger' }),
  );
});

it('lets somebody be heard while named, and not a moment longer', async () => {
  const call = await rig.ringingCall();
  const guest = await rig.join(await joinToken(rig.livekit, call.id, 'guest'));
  await guest.speak(700);
  await rig.worker.event(call.id, 'publisher-skipped', ({ identity }) => identity === 'guest');
  rig.worker.want(call.id, { audience: { named: ['guest'], excluded: [] } });
  await rig.worker.event(call.id, 'ready', ({ identity }) => identity === 'guest');
  rig.open(call);
  await until('the caller hears the guest', () => heardTone(call, 700));
  const { rev } = rig.worker.want(call.id, { audience: nobody });
  await until('the audience is in force', () =>
    rig.worker.frames.find(
      (frame) => frame.type === 'call.is' && frame.call_id === call.id && frame.rev === rev,
    ),
  );
  const silentFromMs = performance.timeOrigin + performance.now();
  const before = call.phone.heard().packets;
  await until('a second later', () => call.phone.heard().packets > before + 50);
  // What was on its way, and the window in which tones are found.
  expect(lastHeard(call, 700)).toBeLessThan(silentFromMs + 250);
});

it('excludes an agent whose claim was taken back, and says ready again when it is readmitted', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  await agent.speak(1_000);
  await rig.worker.event(call.id, 'ready');
  rig.worker.want(call.id, { audience: { named: [], excluded: ['anna'] } });
  await rig.worker.event(call.id, 'publisher-skipped', ({ identity }) => identity === 'anna');
  rig.worker.want(call.id, { audience: nobody });
  const readies = () => rig.worker.events(call.id).filter(({ type }) => type === 'ready');
  await until('ready again', () => readies().length === 2);
  rig.open(call);
  await until('the caller hears the agent', () => heardTone(call, 1_000));
});

it('says ready again when a participant comes back, and why it left', async () => {
  const call = await rig.ringingCall();
  const first = await rig.agent(call, 'anna');
  await first.speak(1_000);
  await rig.worker.event(call.id, 'ready');
  rig.open(call);
  await until('the caller hears the agent', () => heardTone(call, 1_000));
  await first.leave();
  expect(await rig.worker.event(call.id, 'participant-left')).toMatchObject({
    identity: 'anna',
    why: 'left',
  });
  const second = await rig.agent(call, 'anna');
  await second.speak(1_300);
  const types = () => rig.worker.events(call.id).map(({ type }) => type);
  await until('ready again', () => types().filter((type) => type === 'ready').length === 2);
  await until('the caller hears the agent again', () => heardTone(call, 1_300));
  const about = types().filter((type) => type === 'ready' || type.startsWith('participant'));
  expect(about).toEqual([
    'participant-joined',
    'ready',
    'participant-left',
    'participant-joined',
    'ready',
  ]);
  expect(call.phone.heard()).toMatchObject({ lost: 0, timestampJumps: [] });
  expect(call.phone.heard().ssrcs).toHaveLength(1);
});

it('hears whoever of several agents speaks, as one stream', async () => {
  const call = await rig.ringingCall();
  const tones = [600, 900, 1_200];
  const agents = [];
  for (const [index] of tones.entries()) agents.push(await rig.agent(call, `agent-${index}`));
  for (const agent of agents) await agent.speak(0);
  await until(
    'all are ready',
    () => rig.worker.events(call.id).filter(({ type }) => type === 'ready').length === 3,
  );
  rig.open(call);
  for (const [index, hz] of tones.entries()) {
    agents[index]?.setTone(hz);
    await until(`the caller hears ${hz} Hz`, () => heardTone(call, hz));
    agents[index]?.setTone(0);
  }
  const heard = call.phone.heard();
  expect(heard).toMatchObject({ lost: 0, duplicates: 0, timestampJumps: [] });
  expect(heard.ssrcs).toHaveLength(1);
});
