import { expect, it } from 'vitest';
import {
  judge,
  judgeOutbound,
  type CallAction,
  type InboundPhase,
} from '../../local/simulator/call-rules.ts';
import { GraphError } from '../../local/simulator/graph-error.ts';

const ACTIONS: CallAction[] = ['pre_accept', 'accept', 'reject', 'terminate'];
/** For every phase, what each of the four actions leads to; a text is part of the refusal. */
const TABLE: Record<InboundPhase, string[]> = {
  offered: ['prepared', 'live', 'ended', 'ended'],
  prepared: ['already pre-accepted', 'live', 'ended', 'ended'],
  live: ['already in progress', 'already in progress', 'already in progress', 'ended'],
  ended: ['already ended', 'already ended', 'already ended', 'already ended'],
};
const cases = Object.entries(TABLE).flatMap(([phase, results]) =>
  results.map(
    (result, index) => [phase as InboundPhase, ACTIONS[index] as CallAction, result] as const,
  ),
);

it.each(cases)('%s, then %s: %s', (phase, action, result) => {
  const answer = phase === 'offered' ? undefined : 'the answer';
  const verdict = judge({ phase, answer }, action, 'the answer');
  if (verdict instanceof GraphError) {
    expect(verdict.details).toContain(result);
    expect(verdict).toMatchObject({ status: 400, code: 100 });
  } else expect(verdict).toBe(result);
});

it('an accept whose SDP differs by one byte from the pre_accept is refused', () => {
  const verdict = judge({ phase: 'prepared', answer: 'the answer' }, 'accept', 'the answer ');
  expect(verdict).toBeInstanceOf(GraphError);
});

it.each([
  ['dialing', 'terminate', 'ended'],
  ['ringing', 'terminate', 'ended'],
  ['live', 'terminate', 'ended'],
  ['ringing', 'accept', 'not possible on a business-initiated call'],
  ['ringing', 'reject', 'not possible on a business-initiated call'],
  ['ended', 'terminate', 'already ended'],
] as const)('of a business-initiated call: %s, then %s: %s', (phase, action, result) => {
  const verdict = judgeOutbound(phase, action);
  if (verdict instanceof GraphError) expect(verdict.details).toContain(result);
  else expect(verdict).toBe(result);
});
