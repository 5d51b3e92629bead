// How calls go from one step of their rule to the next.
import { expect, it } from 'vitest';
import type { TimelineEntry } from '../../../../worker/domain/decision.ts';
import { step } from '../../../../worker/domain/step.ts';
import { NO_POLICY } from '../../../../worker/domain/step-inbound.ts';
import { NO_FACTS } from '../../../support/no-facts.ts';
import { Floor, START_MS } from './floor.ts';

const queue = { queue: { team: 'sales', longest_wait_s: 30 } };

const timeline = (floor: Floor): (TimelineEntry | null)[] =>
  floor.decisions.map(({ decision }) => decision.entry);

it('the timeline says which step began, where it stands, and what became of those before', () => {
  const floor = new Floor([{ ring: { team: 'sales' } }, queue, { reject: {} }], []);
  floor.ring('c1');
  floor.pass(30_000);
  expect(timeline(floor)).toContainEqual({
    type: 'step',
    detail: { step: 'queue', at: 'otherwise.1', passed: 'ring: nobody is free' },
  });
  expect(floor.call('c1').outcome?.reason).toBe('rejected-by-rule');
});

it('a call that no step keeps ends unanswered, and is missed', () => {
  const floor = new Floor([{ ring: { team: 'sales' } }], []);
  floor.ring('c1');
  expect(floor.call('c1')).toMatchObject({
    outcome: { reason: 'no-answer' },
    followUp: 'missed',
  });
});

it('a rule that begins with a rejection needs neither relay nor room', () => {
  const floor = new Floor([{ reject: {} }], []);
  floor.ring('c1');
  const [first] = floor.decisions;
  expect(first?.decision.call).toMatchObject({ state: 'ending', placement: null, followUp: null });
  expect(first?.decision.jobs.map(({ job }) => job.action)).toContain('reject');
});

it('without a saved rule set every agent may take a call, on duty or not', () => {
  const caller = { contactId: 'p' as never };
  const offer = {
    id: 'c1' as never,
    numberId: 'n1' as never,
    displayPhoneNumber: '1',
    providerCallId: 'w',
    caller,
    payload: null,
    routing: NO_FACTS,
    policy: NO_POLICY,
    sdp: 'v=0',
    offeredAtMs: START_MS,
    answerLimitMs: 30_000,
  };
  const free = { relayId: 'r1' as never, instance: 'i', lastSeq: 0 };
  const { call } = step(null, { type: 'offer', offer }, START_MS, free);
  expect(call?.flow).toMatchObject({ version: 0, rule: null, frames: [{ path: 'otherwise' }] });
});

it('the team that a call was last routed to is kept', () => {
  const floor = new Floor(
    [{ ring: { team: 'sales', seconds: 5 } }, { queue: { team: 'support' } }],
    [{ id: 'ana' }],
  );
  floor.ring('c1');
  expect(floor.call('c1').teamId).toBe('sales');
  floor.pass(5_000);
  expect(floor.call('c1').teamId).toBe('support');
});

it('the announcement of the recording is heard before the music of a queue', () => {
  const floor = new Floor([queue], []);
  floor.ring('c1', {
    policy: { ...NO_POLICY, recording: { announcement: 'notice' } },
  });
  expect(floor.call('c1')).toMatchObject({
    state: 'active',
    audio: { recording: 'on', playing: { promptId: 'notice', isLoop: false } },
  });
  floor.relay('c1', { type: 'relay.played', playId: 0, isComplete: true });
  expect(floor.call('c1').audio.playing).toMatchObject({ promptId: 'sound:hold', isLoop: true });
});
