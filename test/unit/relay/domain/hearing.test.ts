import { describe, expect, it } from 'vitest';
import { AGENTS_ONLY, isHeard, type Audience } from '../../../../relay/domain/audience.ts';
import {
  LEVEL_SILENT,
  LEVEL_SPEECH,
  LevelEstimate,
  opusTicks,
} from '../../../../relay/domain/opus.ts';
import { People, PEOPLE_MAX, type PersonUpdate } from '../../../../relay/domain/room-people.ts';
import { SpeakerChoice } from '../../../../relay/domain/speaker.ts';

describe('the audience', () => {
  const agent = { attributes: { 'roomline.role': 'agent' } };
  const supervisor = { attributes: { 'roomline.role': 'supervisor' } };
  it.each<
    [
      name: string,
      admits: Partial<Audience>,
      who: { attributes?: Record<string, string>; isAi?: boolean },
      heard: boolean,
    ]
  >([
    ['an agent', {}, agent, true],
    ['nobody without a role', {}, {}, false],
    ['no supervisor', {}, supervisor, false],
    ['no role in another spelling', {}, { attributes: { 'roomline.role': 'Agent' } }, false],
    ['a named supervisor', { named: ['anna'] }, supervisor, true],
    ['no excluded agent', { excluded: ['anna'] }, agent, false],
    ['nobody both named and excluded', { named: ['anna'], excluded: ['anna'] }, agent, false],
    ['no AI unless asked for', {}, { isAi: true }, false],
    ['an AI when asked for', { ai: true }, { isAi: true }, true],
    ['no other stranger when an AI is asked for', { ai: true }, {}, false],
    ['no excluded AI', { ai: true, excluded: ['anna'] }, { isAi: true }, false],
    ['a stranger when everyone is', { everyone: true }, {}, true],
    ['a supervisor when everyone is', { everyone: true }, supervisor, true],
    ['nobody excluded though everyone is', { everyone: true, excluded: ['anna'] }, agent, false],
  ])('contains %s', (_name, admits, who, heard) => {
    const listed = { identity: 'anna', attributes: {}, isAi: false, ...who };
    expect(isHeard({ ...AGENTS_ONLY, ...admits }, listed)).toBe(heard);
  });
});

describe('people', () => {
  const update = (change: Partial<PersonUpdate> = {}): PersonUpdate => ({
    sid: 'PA_1',
    identity: 'anna',
    attributes: {},
    isAi: false,
    tracks: [],
    left: undefined,
    ...change,
  });

  it('join once, however often they are reported', () => {
    const people = new People();
    expect(people.apply(update())).toEqual([{ type: 'joined', identity: 'anna' }]);
    expect(people.apply(update({ tracks: [{ sid: 'TR_1', isMicrophone: true }] }))).toEqual([]);
    expect([...people.all()]).toHaveLength(1);
  });

  it('leave once, with the reason', () => {
    const people = new People();
    people.apply(update());
    expect(people.apply(update({ left: 'lost' }))).toEqual([
      { type: 'left', identity: 'anna', why: 'lost' },
    ]);
    expect(people.apply(update({ left: 'lost' }))).toEqual([]);
  });

  it('are those that can be told of, up to a bound', () => {
    const people = new People();
    for (const identity of ['', 'x'.repeat(257)])
      expect(people.apply(update({ identity }))).toEqual([]);
    for (let n = 0; n < 2 * PEOPLE_MAX; n++) people.apply(update({ identity: `person-${n}` }));
    expect([...people.all()]).toHaveLength(PEOPLE_MAX);
    people.apply(update({ identity: 'person-7', left: 'left' }));
    expect(people.apply(update({ identity: 'late' }))).toHaveLength(1);
    expect([...people.all()]).toHaveLength(PEOPLE_MAX);
  });

  it('come back before the end of their last stay is reported', () => {
    const people = new People();
    people.apply(update());
    expect(people.apply(update({ sid: 'PA_2' }))).toEqual([
      { type: 'left', identity: 'anna', why: 'lost' },
      { type: 'joined', identity: 'anna' },
    ]);
    expect(people.apply(update({ sid: 'PA_1', left: 'left' }))).toEqual([]);
    expect([...people.all()]).toMatchObject([{ sid: 'PA_2' }]);
  });
});

describe('the one who is heard', () => {
  const SPEAKS = 20;
  const SILENT = 127;
  /** Feeds 20 ms of two sources; returns which were heard. */
  const step = (
    choice: SpeakerChoice,
    nowMs: number,
    first: number,
    second: number,
  ): [boolean, boolean] => [choice.hears(1, first, 60, nowMs), choice.hears(2, second, 60, nowMs)];

  it('is the only source, silent or not', () => {
    const choice = new SpeakerChoice();
    expect(choice.hears(7, SILENT, 3, 0)).toBe(true);
  });

  it('changes to who speaks once the other has been quiet, with no more than one frame of both', () => {
    const choice = new SpeakerChoice();
    const heard: number[] = [];
    let both = 0;
    for (let nowMs = 0; nowMs < 3_000; nowMs += 20) {
      const [first, second] = step(
        choice,
        nowMs,
        nowMs < 1_000 ? SPEAKS : SILENT,
        nowMs < 1_200 ? SILENT : SPEAKS,
      );
      both += first && second ? 1 : 0;
      heard.push(first ? 1 : second ? 2 : 0);
    }
    expect(both).toBeLessThanOrEqual(1);
    expect(heard.slice(0, 60)).toEqual(Array(60).fill(1));
    expect(heard.indexOf(2) * 20).toBeGreaterThan(1_380);
    expect(heard.indexOf(2) * 20).toBeLessThan(1_500);
    expect(heard.at(-1)).toBe(2);
  });

  it('keeps the floor while speaking, through pauses within a sentence', () => {
    const choice = new SpeakerChoice();
    for (let nowMs = 0; nowMs < 5_000; nowMs += 20) {
      const [first] = step(choice, nowMs, nowMs % 500 < 200 ? SPEAKS : SILENT, SPEAKS);
      expect(first).toBe(true);
    }
  });

  it('does not change for a click', () => {
    const choice = new SpeakerChoice();
    for (let nowMs = 0; nowMs < 3_000; nowMs += 20) {
      const [, second] = step(choice, nowMs, SILENT, nowMs % 200 < 40 ? SPEAKS : SILENT);
      expect(second).toBe(false);
    }
  });

  it('is found by packet sizes where no level is measured', () => {
    const choice = new SpeakerChoice();
    let last = 0;
    for (let nowMs = 0; nowMs < 3_000; nowMs += 20) {
      if (choice.hears(1, -1, 3, nowMs)) last = 1;
      if (choice.hears(2, -1, nowMs % 100 < 60 ? 90 : 30, nowMs)) last = 2;
    }
    expect(last).toBe(2);
  });

  it('is who the server says, where sizes mislead', () => {
    const choice = new SpeakerChoice();
    let last = 0;
    for (let nowMs = 0; nowMs < 2_000; nowMs += 20) {
      if (nowMs === 400) {
        choice.tell(1, false);
        choice.tell(2, true);
      }
      if (choice.hears(1, -1, 55, nowMs)) last = 1;
      if (choice.hears(2, -1, 121, nowMs)) last = 2;
      if (nowMs === 380) expect(last).toBe(1);
    }
    expect(last).toBe(2);
  });

  it('is the other one when a source goes', () => {
    const choice = new SpeakerChoice();
    step(choice, 0, SPEAKS, SPEAKS);
    choice.remove(1);
    expect(choice.hears(2, SILENT, 3, 20)).toBe(true);
  });
});

describe('Opus packets', () => {
  it.each<[bytes: number[], ms: number]>([
    [[0xf8, 0xff, 0xfe], 20],
    [[0x00, 1], 10],
    [[0x18, 1], 60],
    [[0x70, 1], 10],
    [[0x80, 1], 2.5],
    [[0xf9, 1], 40],
    [[0xfb, 0x06], 120],
    [[0xfb, 0x07], 0],
    [[0xfb], 0],
    [[0xfb, 0x40], 0],
    [[], 0],
  ])('%j plays %d ms', (bytes, ms) => {
    expect(opusTicks(Uint8Array.from(bytes), 0, bytes.length)).toBe(ms * 48);
  });

  it('are speech when they are large for their stream', () => {
    const estimate = new LevelEstimate();
    const levels: number[] = [];
    for (let n = 0; n < 400; n++) levels.push(estimate.level(n % 100 < 50 ? 20 : 60));
    expect(new Set(levels.slice(310, 350))).toEqual(new Set([LEVEL_SILENT]));
    expect(new Set(levels.slice(355, 400))).toEqual(new Set([LEVEL_SPEECH]));
    expect(estimate.level(3)).toBe(LEVEL_SILENT);
  });

  it('are all speech at a constant rate, where sizes say nothing', () => {
    const estimate = new LevelEstimate();
    for (let n = 0; n < 100; n++) expect(estimate.level(50)).toBe(LEVEL_SPEECH);
  });
});
