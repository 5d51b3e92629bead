// Whatever happens in the room, the phone hears one unbroken stream.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rig, type Call } from './support/rig.ts';
import { joinToken, roomService } from './support/rooms.ts';
import { until } from './support/until.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(() => rig.stop());

const tones = (call: Call, hz: number) =>
  call.phone.heard().tones.filter((tone) => Math.abs(tone.hz - hz) < 15);

/** Resolves when the caller hears this tone at a time after now. */
async function hears(call: Call, hz: number): Promise<void> {
  const fromMs = Date.now();
  await until(`the caller hears ${hz} Hz`, () =>
    tones(call, hz).some(({ toMs }) => toMs > fromMs + 100),
  );
}

/** Resolves when the caller has heard silence for half a second. */
async function hearsSilence(call: Call): Promise<void> {
  const { packets } = call.phone.heard();
  await until('silence', () => {
    const heard = call.phone.heard();
    const loudMs = Math.max(0, ...heard.audible.map(({ toMs }) => toMs));
    return heard.packets > packets + 25 && (heard.lastPacketAtMs ?? 0) - loudMs > 500;
  });
}

it('is one stream over pauses, mutes, new tracks, second tracks and other agents', async () => {
  const call = await rig.ringingCall();
  const anna = await rig.agent(call, 'anna');
  await anna.speak(1_000, { dtx: true });
  await rig.worker.event(call.id, 'ready');
  rig.open(call);
  await hears(call, 1_000);

  anna.setTone(0);
  await hearsSilence(call);
  anna.setTone(700);
  await hears(call, 700);

  await roomService(rig.livekit).mutePublishedTrack(call.id, 'anna', anna.trackSid, true);
  await hearsSilence(call);
  await anna.unpublish();
  await hearsSilence(call);
  await anna.speak(850);
  await hears(call, 850);

  await anna.playBackground(1_900);
  await hears(call, 1_900);

  const ben = await rig.agent(call, 'ben');
  await ben.speak(1_200);
  await hears(call, 1_200);
  await anna.leave();
  await hears(call, 1_200);
  await ben.leave();
  await hearsSilence(call);

  rig.worker.send({ type: 'call.close', call_id: call.id });
  const { stats } = await rig.worker.event(call.id, 'ended');
  // What a busy machine loses before the relay has it stays lost.
  expect(call.phone.heard().lost).toBeLessThanOrEqual(stats?.to_caller.lost ?? 0);
  expect(call.phone.heard()).toMatchObject({
    packetsBeforeAccept: 0,
    duplicates: 0,
    outOfOrder: 0,
    ptimeViolations: 0,
    timestampJumps: [],
    payloadTypes: [111],
  });
  expect(call.phone.heard().ssrcs).toHaveLength(1);
});

it('a supervisor who spoke before anybody named them is not heard, not by one packet', async () => {
  const call = await rig.answeredCall();
  const supervisor = await rig.join(
    await joinToken(rig.livekit, call.id, 'sofia', {
      attributes: { 'roomline.role': 'supervisor' },
    }),
  );
  await supervisor.speak(600);
  await rig.enter(call);
  await rig.worker.event(call.id, 'publisher-skipped', ({ identity }) => identity === 'sofia');
  rig.open(call);
  const { packets } = call.phone.heard();
  await until('a second of the call', () => call.phone.heard().packets > packets + 50);
  // Silence that was made up is all that came: there is nothing in it to be heard.
  expect(call.phone.heard().audible).toEqual([]);
  expect(call.phone.heard().payloadBytes).toBe(3 * call.phone.heard().packets);

  rig.worker.want(call.id, { audience: { named: ['sofia'], excluded: [] } });
  await hears(call, 600);
});
