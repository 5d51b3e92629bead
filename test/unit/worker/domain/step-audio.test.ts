// What may be done to the audio of a connected call.
import { describe, expect, it } from 'vitest';
import type { AudioCommand, Call, CallEvent } from '../../../../worker/domain/call.ts';
import type { CallId, NumberId, RelayId } from '../../../../worker/domain/ids.ts';
import { onOpened } from '../../../../worker/domain/step-audio.ts';
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

  it('begins with the announcement where the number asks for it', () => {
    const policy = { ...NO_POLICY, recording: { announcement: 'p1' } };
    expect(onOpened({ ...active, policy }).audio).toEqual({
      isHeld: false,
      recording: 'on',
      playing: { id: 8, promptId: 'p1', isLoop: false },
    });
    expect(onOpened(active)).toEqual({});
  });
});

describe('keys', () => {
  const digit: CallEvent = { type: 'relay.digit', seq: 1, digit: '5' };

  it('are kept, but not while recording is paused', () => {
    expect(step(active, digit, NOW).entry).toEqual({ type: 'digit', detail: { digit: '5' } });
    const paused = { ...active, audio: { ...active.audio, recording: 'paused' as const } };
    expect(step(paused, digit, NOW).entry).toEqual({ type: 'digit' });
  });
});
