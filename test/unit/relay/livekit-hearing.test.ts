import { expect, it } from 'vitest';
import { Hearing } from '../../../relay/adapters/livekit-hearing.ts';
import { TRACKS_MAX, type Person } from '../../../relay/domain/room-people.ts';
import { AGENTS_ONLY } from './session-rig.ts';

const person = (number: number): Person => ({
  sid: `PA_${number}`,
  identity: `person-${number}`,
  attributes: { 'roomline.role': 'agent' },
  isAi: false,
  tracks: [{ sid: `TR_${number}`, isMicrophone: true }],
});

function rig() {
  const subscribed = new Set<string>();
  const gone: number[] = [];
  const heard: number[] = [];
  const ready: [identity: string, aiName: string | undefined][] = [];
  const nothing = () => undefined;
  const hearing = new Hearing(AGENTS_ONLY, {
    subscribe: (wanted, _participantSid, trackSid) =>
      wanted ? subscribed.add(trackSid) : subscribed.delete(trackSid),
    onSkipped: nothing,
    onReady: (identity, aiName) => ready.push([identity, aiName]),
    onAudio: (source) => heard.push(source),
    onSpeaking: nothing,
    onSourceGone: (source) => gone.push(source),
  });
  return { hearing, subscribed, gone, heard, ready };
}

const bytes = new Uint8Array(20);

it('gives no source to two tracks, also not to those of the connection after this one', () => {
  const connections = [rig(), rig()];
  for (const { hearing } of connections) {
    const people = [person(1), person(2)];
    hearing.review(people);
    hearing.assign('receive-0', 'TR_1', people);
    hearing.assign('receive-1', 'TR_2', people);
    hearing.packet('receive-0', bytes);
    hearing.packet('receive-1', bytes);
  }
  const sources = connections.flatMap(({ heard }) => heard);
  expect(sources).toHaveLength(4);
  expect(new Set(sources).size).toBe(4);
});

it('hears nobody any more when the connection is over, and says so once', () => {
  const { hearing, gone, heard } = rig();
  hearing.review([person(1)]);
  hearing.assign('receive-0', 'TR_1', [person(1)]);
  hearing.packet('receive-0', bytes);
  hearing.end();
  hearing.end();
  hearing.packet('receive-0', bytes);
  expect(heard).toHaveLength(1);
  expect(gone).toEqual(heard);
});

it('asks for no more tracks than make a call, and for others as soon as some are gone', () => {
  const { hearing, subscribed } = rig();
  const people = Array.from({ length: 1_000 }, (_, number) => person(number));
  hearing.review(people);
  expect(subscribed.size).toBe(TRACKS_MAX);
  hearing.review(people.slice(10));
  expect(subscribed.size).toBe(TRACKS_MAX);
  expect(subscribed).toContain(`TR_${TRACKS_MAX + 9}`);
});

it('names AI agents that nothing else admits', () => {
  const { hearing, ready } = rig();
  const ai = (number: number, attributes: Person['attributes']): Person => ({
    ...person(number),
    attributes,
    isAi: true,
  });
  const people = [
    ai(1, { 'lk.agent_name': 'concierge' }),
    ai(2, {}),
    ai(3, { 'lk.agent_name': 'chosen' }),
    ai(4, { 'lk.agent_name': 'signed', 'roomline.role': 'agent' }),
    person(5),
  ];
  hearing.setAudience({ ...AGENTS_ONLY, ai: true, named: ['person-3'] }, people);
  for (const [index] of people.entries())
    hearing.assign(`receive-${index}`, `TR_${index + 1}`, people);
  hearing.callerIsHeard(people);
  expect(ready).toEqual([
    ['person-1', 'concierge'],
    ['person-2', ''],
    ['person-3', undefined],
    ['person-4', undefined],
    ['person-5', undefined],
  ]);
});
