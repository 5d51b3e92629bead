// What callers hear at the steps of a rule, what their keys do there, and that every step has a way out.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOver, wanted, type Call, type CallPolicy } from '../../../../worker/domain/call.ts';
import type { Job, JobResult } from '../../../../worker/domain/job.ts';
import { steps } from '../../../../worker/domain/rules.ts';
import { dueAtMs } from '../../../../worker/domain/step.ts';
import { SOUND_MS_MAX } from '../../../../worker/domain/step-part.ts';
import { Floor, type FloorOptions } from './floor.ts';

const MENU = {
  menu: {
    prompt: 'which',
    seconds: 5,
    times: 2,
    keys: { 1: [{ play: { prompt: 'one' } }], 2: [{ queue: { team: 'sales' } }] },
  },
};
const REJECT = { reject: {} };
const QUEUE = { queue: { team: 'sales', callback_key: '*', longest_wait_s: 60 } };
const VOICEMAIL = { voicemail: { prompt: 'greeting', longest_s: 60 } };
const ASK = { ask: { url: 'https://example.com/ask', data: { shop: 'porto' } } };

const policy: CallPolicy = {
  hasFallbackText: false,
  isLeftToVoicemail: false,
  canRecord: true,
  recording: null,
};

/** An endpoint that answers these steps. */
const answering = (...of: object[]): FloorOptions => ({
  replies: { 'endpoint.ask': { ok: true, steps: steps.parse(of) } },
});

/** A caller at the first step. */
function at(rule: readonly object[], options: FloorOptions = {}, more: Partial<CallPolicy> = {}) {
  const floor = new Floor(rule, [{ id: 'ana', duty: 'away' }], options);
  floor.ring('c1', { policy: { ...policy, ...more } });
  return floor;
}

const call = (floor: Floor): Call => floor.call('c1');
const stage = (floor: Floor) => call(floor).flow?.stage;
const playing = (floor: Floor) => call(floor).audio.playing;
const entries = (floor: Floor) => floor.decisions.map(({ decision }) => decision.entry);
const last = (floor: Floor) => entries(floor).at(-1);

const press = (floor: Floor, digit: string) => floor.relay('c1', { type: 'relay.digit', digit });
/** The relay has played what is wanted, or could not. */
const hear = (floor: Floor, isComplete = true) =>
  floor.relay('c1', { type: 'relay.played', playId: playing(floor)?.id ?? -1, isComplete });
const steer = (floor: Floor, action: 'stop-playing' | 'stop-recording' | 'record') =>
  floor.apply('c1', { type: 'audio', command: { action }, actor: { kind: 'api', id: 'x' } });
const jobs = (floor: Floor): Job[] =>
  floor.decisions.flatMap(({ decision }) => decision.jobs.map(({ job }) => job));

function hangUp(floor: Floor): void {
  floor.apply('c1', {
    type: 'terminate',
    termination: {
      id: call(floor).id,
      numberId: call(floor).numberId,
      displayPhoneNumber: '1',
      providerCallId: 'wacid.c1',
      atMs: floor.nowMs,
      wasPickedUp: true,
    },
  });
}

describe('a prompt', () => {
  it('is heard in the answered call, and the next step follows', () => {
    const floor = at([{ play: { prompt: 'hello' } }, MENU]);
    expect(call(floor).state).toBe('active');
    expect(playing(floor)).toMatchObject({ promptId: 'hello', isLoop: false });
    hear(floor);
    expect(stage(floor)).toMatchObject({ kind: 'menu', part: 'prompt' });
    expect(last(floor)).toMatchObject({ type: 'step', detail: { after: 'played' } });
  });

  it.each([
    ['that cannot be played', (floor: Floor) => hear(floor, false)],
    ['that somebody stops', (floor: Floor) => steer(floor, 'stop-playing')],
    ['of which nothing is heard any more', (floor: Floor) => floor.pass(SOUND_MS_MAX)],
  ])('%s makes way for the next step', (_, happens) => {
    const floor = at([{ play: { prompt: 'hello' } }, REJECT]);
    happens(floor);
    expect(call(floor).outcome?.reason).toBe('rejected-by-rule');
  });

  it('that cannot be played before the call is connected does the same', () => {
    const floor = at([{ play: { prompt: 'hello' } }, MENU], { holds: ['graph.accept'] });
    expect(call(floor).state).toBe('accepting');
    hear(floor, false);
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
    expect(call(floor).state).toBe('accepting');
  });

  it('twice in a row is played twice', () => {
    const floor = at([{ play: { prompt: 'hello' } }, { play: { prompt: 'hello' } }]);
    const first = playing(floor)?.id;
    hear(floor);
    expect(playing(floor)).toMatchObject({ promptId: 'hello' });
    expect(playing(floor)?.id).not.toBe(first);
  });

  it('waits for the announcement of the recording', () => {
    const floor = at([MENU], {}, { recording: { announcement: 'recorded' } });
    expect(playing(floor)).toMatchObject({ promptId: 'recorded', isAnnouncement: true });
    press(floor, '2');
    expect(stage(floor)).toMatchObject({ kind: 'menu', round: 1, part: 'prompt' });
    expect(last(floor)).toEqual({ type: 'digit', detail: { digit: '2' } });
    hear(floor);
    expect(playing(floor)).toMatchObject({ promptId: 'which' });
  });

  it('is heard after the announcement also where both are the same', () => {
    const floor = at([{ play: { prompt: 'same' } }], {}, { recording: { announcement: 'same' } });
    const first = playing(floor)?.id;
    hear(floor);
    expect(playing(floor)).toMatchObject({ promptId: 'same' });
    expect(playing(floor)?.id).not.toBe(first);
    hear(floor);
    expect(call(floor).outcome?.reason).toBe('no-answer');
  });

  it('that an operator plays meanwhile is followed by what the step plays', () => {
    const floor = at([MENU]);
    const command = { action: 'play', promptId: 'news', isLoop: false } as const;
    floor.apply('c1', { type: 'audio', command, actor: { kind: 'api', id: 'x' } });
    hear(floor);
    expect(playing(floor)).toMatchObject({ promptId: 'which' });
    expect(stage(floor)).toMatchObject({ part: 'prompt' });
  });
});

describe('a menu', () => {
  it('goes the way of a key, during the prompt and after it', () => {
    for (const waits of [false, true]) {
      const floor = at([MENU]);
      if (waits) hear(floor);
      press(floor, '2');
      expect(stage(floor)).toMatchObject({ kind: 'queue' });
      expect(call(floor).flow).toMatchObject({ digits: '2' });
      expect(playing(floor)).toMatchObject({ promptId: 'sound:hold', isLoop: true });
      expect(last(floor)).toEqual({
        type: 'digit',
        detail: { digit: '2', step: 'queue', at: 'otherwise.0.menu.keys.2.0', after: 'key' },
      });
    }
  });

  it('goes on behind the menu when the way of a key is over', () => {
    const floor = at([MENU, { play: { prompt: 'after' } }]);
    press(floor, '1');
    expect(playing(floor)).toMatchObject({ promptId: 'one' });
    hear(floor);
    expect(playing(floor)).toMatchObject({ promptId: 'after' });
  });

  it('asks again in silence, as often as it says, and then goes on', () => {
    const floor = at([MENU, REJECT]);
    const first = playing(floor)?.id;
    hear(floor);
    expect(playing(floor)).toBeNull();
    floor.pass(4_999);
    expect(stage(floor)).toMatchObject({ part: 'silence', round: 1 });
    floor.pass(1);
    expect(stage(floor)).toMatchObject({ part: 'prompt', round: 2 });
    expect(playing(floor)?.promptId).toBe('which');
    expect(playing(floor)?.id).not.toBe(first);
    hear(floor);
    floor.pass(5_000);
    expect(call(floor).outcome?.reason).toBe('rejected-by-rule');
  });

  it('answers a wrong key with its prompt for that, and asks again', () => {
    const floor = at([{ menu: { ...MENU.menu, wrong_key_prompt: 'sound:error' } }, REJECT]);
    press(floor, '7');
    expect(playing(floor)).toMatchObject({ promptId: 'sound:error' });
    hear(floor);
    expect(playing(floor)).toMatchObject({ promptId: 'which' });
    expect(stage(floor)).toMatchObject({ part: 'prompt', round: 2 });
    press(floor, 'A');
    expect(call(floor).outcome?.reason).toBe('rejected-by-rule');
    expect(entries(floor)).toContainEqual(
      expect.objectContaining({ type: 'ending', detail: expect.objectContaining({ digit: 'A' }) }),
    );
  });

  it('has no key that only objects have', () => {
    const floor = at([MENU]);
    press(floor, 'constructor');
    expect(stage(floor)).toMatchObject({ kind: 'menu', round: 2 });
  });

  it('does not keep the key while recording is paused', () => {
    const floor = at([MENU]);
    steer(floor, 'record');
    const command = { action: 'pause-recording' } as const;
    floor.apply('c1', { type: 'audio', command, actor: { kind: 'api', id: 'x' } });
    press(floor, '2');
    expect(stage(floor)).toMatchObject({ kind: 'queue' });
    expect(last(floor)?.detail).not.toHaveProperty('digit');
  });

  it('of which the way leads back to it begins from the beginning of its prompt', () => {
    const keys = { 9: [{ goto: 'main' }], 1: [REJECT] };
    const main = { menu: { ...MENU.menu, keys } };
    const floor = at([{ goto: 'main' }], { flows: { main: [main] } });
    const first = playing(floor)?.id;
    press(floor, '9');
    expect(stage(floor)).toMatchObject({ kind: 'menu', round: 1 });
    expect(playing(floor)?.id).not.toBe(first);
  });
});

describe('a queue', () => {
  it('is left with its key, and the caller is to be called back', () => {
    const floor = at([QUEUE]);
    press(floor, '5');
    expect(stage(floor)).toMatchObject({ kind: 'queue' });
    press(floor, '*');
    expect(playing(floor)).toMatchObject({ promptId: 'sound:confirm' });
    expect(last(floor)).toEqual({ type: 'digit', detail: { digit: '*', step: 'callback' } });
    hear(floor);
    expect(call(floor)).toMatchObject({
      outcome: { result: 'success', reason: 'callback-requested', endedBy: 'caller' },
      followUp: 'callback',
    });
  });

  it('is left all the same by whoever hangs up before the tone is over', () => {
    const floor = at([{ queue: { ...QUEUE.queue, callback_prompt: 'thanks' } }]);
    press(floor, '*');
    expect(playing(floor)).toMatchObject({ promptId: 'thanks' });
    hangUp(floor);
    expect(call(floor)).toMatchObject({
      outcome: { reason: 'callback-requested' },
      followUp: 'callback',
    });
  });

  it('rings nobody any more for whoever left it, and is not left once an agent has the call', () => {
    const floor = at([QUEUE]);
    floor.set('ana', { duty: 'available' });
    floor.offer();
    expect(floor.rung('c1')).toEqual(['ana']);
    press(floor, '*');
    expect(floor.rung('c1')).toEqual([]);
    floor.claim('c1', 'ana');
    expect(call(floor).claim).toBeNull();
    hangUp(floor);

    floor.ring('c2');
    floor.claim('c2', 'ana');
    floor.relay('c2', { type: 'relay.digit', digit: '*' });
    expect(floor.call('c2')).toMatchObject({ claim: { agentId: 'ana' }, outcome: null });
    expect(floor.call('c2').flow?.stage?.kind).toBe('queue');
  });

  it('plays the hold sound instead of music that cannot be played, and nothing instead of that', () => {
    const floor = at([{ queue: { ...QUEUE.queue, music: 'gone' } }]);
    expect(playing(floor)).toMatchObject({ promptId: 'gone', isLoop: true });
    hear(floor, false);
    expect(playing(floor)).toMatchObject({ promptId: 'sound:hold', isLoop: true });
    hear(floor, false);
    expect(playing(floor)).toBeNull();
    expect(stage(floor)).toMatchObject({ kind: 'queue' });
  });

  it('gives way to the next step after the longest wait', () => {
    const floor = at([QUEUE, VOICEMAIL]);
    floor.pass(60_000);
    expect(stage(floor)).toMatchObject({ kind: 'voicemail', part: 'prompt' });
  });
});

describe('voicemail', () => {
  /** The caller has heard the beep. */
  function speaking(rule: readonly object[] = [VOICEMAIL]): Floor {
    const floor = at(rule);
    hear(floor);
    hear(floor);
    return floor;
  }

  it('is a greeting, a beep, and a recording from the beep on', () => {
    const floor = at([VOICEMAIL]);
    expect(playing(floor)).toMatchObject({ promptId: 'greeting' });
    expect(wanted(call(floor)).audio.recording).toBe('off');
    hear(floor);
    expect(playing(floor)).toMatchObject({ promptId: 'sound:beep' });
    expect(wanted(call(floor)).audio.recording).toBe('on');
    expect(last(floor)).toEqual({ type: 'recording-started', detail: { by: 'rule' } });
    hear(floor);
    expect(playing(floor)).toBeNull();
    expect(stage(floor)).toMatchObject({ part: 'message', sinceMs: floor.nowMs });
  });

  it('without a greeting begins with the beep, and says that it records', () => {
    const floor = at([{ voicemail: {} }]);
    expect(playing(floor)).toMatchObject({ promptId: 'sound:beep' });
    expect(call(floor).audio.recording).toBe('on');
    const begun = entries(floor).find((entry) => entry?.detail?.['step'] === 'voicemail');
    expect(begun?.type).toBe('recording-started');
  });

  it('begins with the beep all the same when the greeting cannot be played', () => {
    const floor = at([VOICEMAIL]);
    hear(floor, false);
    expect(playing(floor)).toMatchObject({ promptId: 'sound:beep' });
  });

  it.each([
    ['the caller hangs up', (floor: Floor) => hangUp(floor), 'caller'],
    ['the caller presses #', (floor: Floor) => press(floor, '#'), 'caller'],
    ['its time is over', (floor: Floor) => floor.pass(59_000), 'system'],
  ])('is left when %s', (_, happens, endedBy) => {
    const floor = speaking();
    floor.pass(1_000);
    press(floor, '5');
    expect(call(floor).outcome).toBeNull();
    happens(floor);
    expect(call(floor)).toMatchObject({
      outcome: { result: 'success', reason: 'voicemail-left', endedBy },
      followUp: 'voicemail',
    });
  });

  it('of less than a second is none', () => {
    for (const happens of [hangUp, (floor: Floor) => press(floor, '#')]) {
      const floor = speaking();
      floor.pass(999);
      happens(floor);
      expect(call(floor)).toMatchObject({
        outcome: { result: 'client_error', reason: 'abandoned' },
        followUp: 'missed',
      });
    }
  });

  it('is worth listening to also when the media broke off', () => {
    const floor = speaking();
    floor.pass(20_000);
    floor.relay('c1', { type: 'relay.ended', reason: 'media-failed', quality: null });
    expect(call(floor)).toMatchObject({
      outcome: { reason: 'media-failed' },
      followUp: 'voicemail',
    });
  });

  it('is not offered where nothing can be recorded', () => {
    const floor = at([VOICEMAIL, MENU], {}, { canRecord: false });
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
  });

  it('that cannot be recorded any further ends, or gives way', () => {
    const heard = speaking([VOICEMAIL, QUEUE]);
    heard.pass(5_000);
    heard.relay('c1', { type: 'relay.recording-failed' });
    expect(call(heard)).toMatchObject({ outcome: { reason: 'voicemail-left', endedBy: 'system' } });
    const unheard = speaking([VOICEMAIL, QUEUE]);
    steer(unheard, 'stop-recording');
    expect(stage(unheard)).toMatchObject({ kind: 'queue' });
    expect(last(unheard)).toMatchObject({ type: 'recording-stopped', detail: { step: 'queue' } });
  });

  it('leaves a recording alone that is there already', () => {
    const floor = at([VOICEMAIL], {}, { recording: { announcement: null } });
    expect(call(floor).audio.recording).toBe('on');
    hear(floor);
    expect(last(floor)?.type).toBe('played');
    hear(floor);
    expect(call(floor).audio.recording).toBe('on');
  });
});

describe('a message', () => {
  const TEXT = { message: { text: 'We call you back.' } };

  it('is sent once, and the next step follows at once', () => {
    const floor = at([TEXT, MENU]);
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
    const sent = jobs(floor).filter(({ lane }) => lane === 'message');
    expect(sent).toEqual([{ lane: 'message', action: 'send', content: TEXT.message }]);
    const told = entries(floor).filter((entry) => entry?.type === 'message-sent');
    expect(told).toHaveLength(1);
  });

  it('is sent by a rule that ends there, and all of several', () => {
    const floor = at([TEXT, { message: { text: 'And again.' } }, REJECT]);
    expect(call(floor).outcome?.reason).toBe('rejected-by-rule');
    const sent = jobs(floor).filter(({ lane }) => lane === 'message');
    expect(sent).toHaveLength(2);
  });

  it('is sent when nobody answers in time', () => {
    const floor = new Floor([{ ring: { team: 'sales', seconds: 60 } }, TEXT], [{ id: 'ana' }]);
    floor.ring('c1');
    floor.pass(26_000);
    expect(call(floor).outcome?.reason).toBe('no-answer');
    expect(jobs(floor).filter(({ lane }) => lane === 'message')).toHaveLength(1);
  });

  it('that cannot be sent changes nothing else', () => {
    const refused: JobResult = { ok: false, kind: 'refused', message: 'no' };
    const floor = at([TEXT, MENU], { replies: { 'message.send': refused } });
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
    expect(call(floor).pending).toEqual([]);
  });
});

describe('ask', () => {
  it('goes the way that the endpoint answers, and then the rest of the rule', () => {
    const floor = at([ASK, MENU], answering({ play: { prompt: 'asked' } }));
    expect(playing(floor)).toMatchObject({ promptId: 'asked' });
    hear(floor);
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
    expect(jobs(floor)).toContainEqual({ lane: 'endpoint', action: 'ask', ...ASK.ask });
  });

  it('needs no answered call, and rings for nobody meanwhile', () => {
    const floor = at([ASK, MENU], { holds: ['endpoint.ask'] });
    expect(call(floor).state).toBe('ringing');
    expect(stage(floor)).toMatchObject({ kind: 'ask' });
    floor.claim('c1', 'ana');
    expect(call(floor).claim).toBeNull();
  });

  it.each([
    ['with nothing', { ok: true }],
    ['with no steps', { ok: true, steps: [] }],
    ['badly', { ok: false, kind: 'refused', message: 'HTTP 500' }],
    ['with more than is kept', { ok: true, steps: [{ message: { text: 'x'.repeat(300_000) } }] }],
  ] as [string, JobResult][])('goes on when the endpoint answers %s', (_, result) => {
    const floor = at([ASK, MENU], { replies: { 'endpoint.ask': result } });
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
    expect(call(floor).pending).toEqual([]);
  });

  it('goes on when no answer comes, and does not take a late one for news', () => {
    const floor = at([ASK, { ask: { url: 'https://example.com/2' } }, MENU], {
      holds: ['endpoint.ask'],
    });
    const late = call(floor).pending[0]?.id ?? 0;
    floor.pass(4_000);
    expect(stage(floor)).toMatchObject({ kind: 'ask' });
    const before = call(floor);
    const result: JobResult = { ok: true, steps: steps.parse([REJECT]) };
    floor.apply('c1', { type: 'job', jobId: late, result });
    expect(call(floor)).toBe(before);
    floor.pass(4_000);
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
  });

  it('passes by what is not there', () => {
    const floor = at([ASK, MENU], answering({ goto: 'nowhere' }, { ring: { team: 'nobody' } }));
    expect(stage(floor)).toMatchObject({ kind: 'menu' });
  });

  it('that is asked for ever ends, and keeps no more than it needs', () => {
    const floor = at([{ goto: 'round' }], {
      ...answering({ message: { text: 'hello' } }),
      flows: { round: [ASK, { goto: 'round' }] },
    });
    expect(call(floor).outcome?.reason).toBe('no-answer');
    expect(JSON.stringify(floor.longestOwn).length).toBeLessThan(2_000);
  });
});

// ---- whatever happens ------------------------------------------------------------------------------------------------------

const anyStep = fc.constantFrom<object>(
  { play: { prompt: 'a' } },
  MENU,
  { menu: { prompt: 'm', wrong_key_prompt: 'w', times: 3, keys: { 1: [QUEUE], 2: [VOICEMAIL] } } },
  { menu: { prompt: 'm', times: 1, keys: { 1: [{ ring: { team: 'sales', seconds: 5 } }] } } },
  QUEUE,
  VOICEMAIL,
  { voicemail: {} },
  { message: { text: 'x' } },
  ASK,
  { ring: { team: 'sales', seconds: 10 } },
);
const anyMove = fc.oneof(
  fc.constantFrom('1', '2', '9', '*', '#').map((digit) => (floor: Floor) => press(floor, digit)),
  fc.boolean().map((isComplete) => (floor: Floor) => hear(floor, isComplete)),
  fc.integer({ min: 1, max: 70_000 }).map((ms) => (floor: Floor) => floor.pass(ms)),
  fc.constantFrom(
    (floor: Floor) => floor.relay('c1', { type: 'relay.recording-failed' }),
    (floor: Floor) => steer(floor, 'stop-playing'),
    (floor: Floor) => steer(floor, 'stop-recording'),
    (floor: Floor) => floor.set('ana', { duty: 'available' }),
    (floor: Floor) => floor.offer(),
    (floor: Floor) => floor.claim('c1', 'ana'),
    (floor: Floor) => floor.decline('c1', 'ana'),
  ),
);
const anyOptions = fc.constantFrom<FloorOptions>(
  {},
  { holds: ['endpoint.ask'] },
  { holds: ['message.send'] },
  answering(MENU, VOICEMAIL),
  { replies: { 'endpoint.ask': { ok: false, kind: 'unsure', message: 'x' } } },
);

describe('whatever happens', () => {
  it('a step has a way out by time, and what is heard and recorded is what the step says', () => {
    fc.assert(
      fc.property(
        fc.array(anyStep, { minLength: 1, maxLength: 4 }),
        anyOptions,
        fc.boolean(),
        fc.array(anyMove, { maxLength: 40 }),
        (rule, options, isRecorded, moves) => {
          const announced = { recording: { announcement: 'recorded' } };
          const floor = at(rule, options, isRecorded ? announced : {});
          for (const move of moves) {
            move(floor);
            if (isOver(call(floor))) break;
            const { timers, audio, flow } = call(floor);
            if (flow?.stage && !call(floor).claim) expect(timers.step).toBeDefined();
            expect(dueAtMs(call(floor))).toBeLessThan(Infinity);
            const now = flow?.stage;
            if (now?.kind === 'voicemail' && now.part === 'message')
              expect(audio.recording).not.toBe('off');
          }
          floor.pass(200 * SOUND_MS_MAX);
          expect(isOver(call(floor))).toBe(true);
          expect(call(floor).followUp).not.toBeNull();
        },
      ),
      { numRuns: 300 },
    );
  });
});
