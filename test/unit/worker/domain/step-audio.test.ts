// What may be done to the audio of a connected call.
import { describe, expect, it } from 'vitest';
import { wanted, type Call } from '../../../../worker/domain/call.ts';
import type { AudioCommand, CallEvent } from '../../../../worker/domain/call-event.ts';
import type { CallId, NumberId, RelayId } from '../../../../worker/domain/ids.ts';
import { onOpened, soundBefore } from '../../../../worker/domain/step-audio.ts';
import { blankCall, NO_POLICY } from '../../../../worker/domain/step-inbound.ts';
import { step } from '../../../../worker/domain/step.ts';

const NOW = 1_790_000_000_000;
const blank = blankCall(
  {
    id: 'c1' as CallId,
    numberId: 'n1' as NumberId,
    displayPhoneNumber: '15550109999',
    providerCallId: 'wacid.x',
  },
  NOW,
  NOW,
);
const active: Call = {
  ...blank,
  version: 7,
  state: 'active',
  placement: { relayId: 'r1' as RelayId, instance: 'i1', lastSeq: 0 },
};
const command = (audio: AudioCommand): CallEvent => ({
  type: 'audio',
  command: audio,
  actor: { kind: 'agent', id: 'a1' },
});
const apply = (call: Call, audio: AudioCommand) => {
  const decision = step(call, command(audio), NOW);
  return { ...decision, call: decision.call ?? call };
};

describe('hold', () => {
  it('is told to the relay once, and taken back', () => {
    const held = apply(active, { action: 'hold' });
    expect(held).toMatchObject({
      call: { audio: { isHeld: true } },
      entry: { type: 'held', detail: { by: 'agent' } },
      messages: ['want'],
    });
    expect(apply(held.call, { action: 'hold' }).entry).toBeNull();
    expect(apply(held.call, { action: 'unhold' })).toMatchObject({
      call: { audio: { isHeld: false } },
      entry: { type: 'taken-off-hold' },
    });
  });

  it('changes nothing in a call that is not connected', () => {
    for (const state of ['ringing', 'claimed', 'ending', 'ended'] as const) {
      expect(apply({ ...active, state }, { action: 'hold' }).entry).toBeNull();
    }
  });
});

describe('a prompt', () => {
  const play = { action: 'play', promptId: 'p1', isLoop: false } as const;

  it('plays until the relay says that it is over', () => {
    const playing = apply(active, play);
    expect(playing.call.audio.playing).toEqual({ id: 8, promptId: 'p1', isLoop: false });
    const over: CallEvent = { type: 'relay.played', seq: 1, playId: 8, isComplete: true };
    const played = step(playing.call, over, NOW);
    expect(played).toMatchObject({
      call: { audio: { playing: null } },
      entry: { type: 'played', detail: { completed: true } },
    });
  });

  it('that was replaced does not end the one that replaced it', () => {
    const first = apply(active, play);
    const second = apply(first.call, { ...play, promptId: 'p2' });
    const over: CallEvent = { type: 'relay.played', seq: 1, playId: 8, isComplete: false };
    expect(step(second.call, over, NOW).entry).toBeNull();
    expect(apply(second.call, { action: 'stop-playing' }).call.audio.playing).toBeNull();
  });
});

describe('recording', () => {
  it('starts, pauses, goes on and stops, each once', () => {
    const types: (string | undefined)[] = [];
    let call = active;
    for (const action of [
      'pause-recording',
      'record',
      'record',
      'pause-recording',
      'pause-recording',
      'record',
      'stop-recording',
      'stop-recording',
    ] as const) {
      const decision = apply(call, { action });
      types.push(decision.entry?.type);
      ({ call } = decision);
    }
    expect(types).toEqual([
      undefined,
      'recording-started',
      undefined,
      'recording-paused',
      undefined,
      'recording-resumed',
      'recording-stopped',
      undefined,
    ]);
  });

  it('goes on only after it was started', () => {
    expect(apply(active, { action: 'resume-recording' }).entry).toBeNull();
    const { call } = apply(apply(active, { action: 'record' }).call, { action: 'pause-recording' });
    expect(apply(call, { action: 'resume-recording' })).toMatchObject({
      call: { audio: { recording: 'on' } },
      entry: { type: 'recording-resumed' },
    });
  });

  it('begins where the number asks for it, and the timeline says so', () => {
    const policy = { ...NO_POLICY, recording: { announcement: null } };
    expect(onOpened({ ...active, policy })).toEqual({
      patch: { audio: { isHeld: false, recording: 'on', playing: null } },
      entry: { type: 'answered', detail: { recording: true } },
    });
    expect(onOpened(active)).toEqual({ patch: {}, entry: { type: 'answered' } });
  });

  it('is known to be kept once, in any state', () => {
    const recording = { durationMs: 61_000, bytes: 5, sha256: 'a1', expiresAt: null };
    for (const state of ['active', 'ending', 'ended'] as const) {
      const kept = step({ ...active, state }, { type: 'recording', recording }, NOW);
      expect(kept).toMatchObject({
        call: { state, isRecordingKept: true },
        messages: [],
        jobs: [],
      });
      const detail = { duration_ms: 61_000, bytes: 5, sha256: 'a1' };
      expect(kept.entry).toEqual({ type: 'recording-kept', detail });
      expect(step(kept.call, { type: 'recording', recording }, NOW).entry).toBeNull();
    }
  });
});

describe('the announcement of a recording', () => {
  const policy = { ...NO_POLICY, recording: { announcement: 'p1' } };
  const ringing: Call = { ...active, policy, state: 'ringing', audio: soundBefore(policy) };
  const announcing: Call = { ...ringing, ...onOpened(ringing).patch, state: 'active' };
  const over = (isComplete: boolean): CallEvent => ({
    type: 'relay.played',
    seq: 1,
    playId: 0,
    isComplete,
  });

  it('is at the relay before the call is connected, comes first, and is recorded', () => {
    const playing = { id: 0, promptId: 'p1', isLoop: false, isAnnouncement: true };
    expect(wanted(ringing)).toMatchObject({ open: false, audio: { recording: 'off', playing } });
    const { entry } = onOpened(ringing);
    expect(entry).toEqual({ type: 'answered', detail: { recording: true, announcement: 'p1' } });
    expect(announcing.audio).toEqual({ isHeld: false, recording: 'on', playing });
    expect(step(announcing, over(true), NOW)).toMatchObject({
      call: { audio: { recording: 'on', playing: null } },
      entry: { type: 'played', detail: { completed: true } },
    });
  });

  it('that could not be played ends the recording', () => {
    expect(step(announcing, over(false), NOW)).toMatchObject({
      call: { audio: { recording: 'off', playing: null } },
      entry: { type: 'announcement-failed', detail: { prompt: 'p1' } },
      messages: ['want'],
    });
  });

  it('that cannot be had is known before the call is connected, which then is not recorded', () => {
    for (const state of ['offered', 'preparing', 'ringing', 'claimed', 'accepting'] as const) {
      const failed = step({ ...ringing, state }, over(false), NOW);
      expect(failed.entry).toEqual({ type: 'announcement-failed', detail: { prompt: 'p1' } });
      expect(failed.call?.state).toBe(state);
      const opened = onOpened(failed.call ?? ringing);
      expect(opened).toEqual({ patch: {}, entry: { type: 'answered' } });
    }
    expect(step(ringing, over(true), NOW).entry).toBeNull();
    expect(step({ ...ringing, state: 'ending' }, over(false), NOW).entry).toBeNull();
  });

  it('is cut off by nobody', () => {
    const play = { action: 'play', promptId: 'p2', isLoop: false } as const;
    for (const cut of [play, { action: 'stop-playing' } as const]) {
      expect(apply(announcing, cut).entry).toBeNull();
    }
    const paused = apply(announcing, { action: 'pause-recording' });
    expect(apply(paused.call, play).entry).toBeNull();
  });

  it('is a prompt like any other once nothing is recorded', () => {
    const { call } = apply(announcing, { action: 'stop-recording' });
    expect(apply(call, { action: 'stop-playing' }).entry?.type).toBe('playing-stopped');
    const detail = { completed: false };
    expect(step(call, over(false), NOW).entry).toEqual({ type: 'played', detail });
  });
});

it('a prompt is played also while recording is paused', () => {
  const { call } = apply(apply(active, { action: 'record' }).call, { action: 'pause-recording' });
  const playing = apply(call, { action: 'play', promptId: 'p1', isLoop: true });
  expect(playing.call.audio).toMatchObject({ recording: 'paused', playing: { promptId: 'p1' } });
});

it('a recording that the relay cannot go on with is off, and the call goes on', () => {
  const failed: CallEvent = { type: 'relay.recording-failed', seq: 1 };
  const { call } = apply(active, { action: 'record' });
  const after = step(call, failed, NOW);
  expect(after).toMatchObject({ entry: { type: 'recording-failed' }, messages: ['want'] });
  expect(after.call).toMatchObject({ state: 'active', audio: { recording: 'off' } });
  expect(step(after.call, { ...failed, seq: 2 }, NOW).entry).toBeNull();
});

describe('keys', () => {
  const digit: CallEvent = { type: 'relay.digit', seq: 1, digit: '5' };

  it('are kept, but not while recording is paused', () => {
    expect(step(active, digit, NOW).entry).toEqual({ type: 'digit', detail: { digit: '5' } });
    const paused = { ...active, audio: { ...active.audio, recording: 'paused' as const } };
    expect(step(paused, digit, NOW).entry).toEqual({ type: 'digit' });
  });
});
