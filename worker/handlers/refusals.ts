// Why a command on a call was not carried out, as whoever asked is told.
import type { CallView } from '../call-view.ts';
import type { Refusal } from '../domain/people.ts';
import { invalidField, Problem } from '../http/problems.ts';

type ProblemOf = (refusal: Refusal, call: CallView, to: string) => Problem;

const notNow =
  (detail: string): ProblemOf =>
  ({ reason }) =>
    new Problem('not-possible-now', detail, { reason });
const wrong =
  (field: string, expected: string): ProblemOf =>
  (_refusal, _call, to) =>
    invalidField(`${to}${field}`, expected);

const PROBLEMS: Readonly<Record<Refusal['reason'], ProblemOf>> = {
  'not-connected': (_, { outcome, state }) =>
    outcome
      ? new Problem('call-over', `The call ended: ${outcome.reason}`, { outcome })
      : new Problem('call-not-connected', `The call is ${state}`),
  'nobody-has-it': notNow('No agent has this call'),
  'under-way': notNow('Somebody is being looked for already, or is on the way'),
  consulting: notNow('A consultation is under way: complete, merge or cancel it first'),
  'no-transfer': notNow('The call is not being handed over'),
  'no-consultation': notNow('There is no consultation'),
  'not-there-yet': notNow('The colleague is not in the room yet'),
  'no-such-agent': wrong('agent_id', 'the id of an agent'),
  'no-such-team': wrong('team', 'the id of a team with members'),
  'same-agent': wrong('agent_id', 'somebody who does not have the call'),
  'already-there': notNow('They are in the call already'),
  'has-the-call': notNow('They have the call: hand it over, or end it'),
  'not-in-call': () => new Problem('not-found', 'Nobody with this identity is in the call'),
  'not-available': ({ presence }) =>
    new Problem('nobody-available', `The agent is ${presence}`, { presence }),
  'nobody-available': () => new Problem('nobody-available', 'Nobody of the team is available'),
  'too-many': notNow('Too many people were in this call'),
  'too-many-notes': notNow('All notes of a call together have room for 2,000 characters'),
};

/**
 * @param call as it is, undisturbed
 * @param to where the request names whom it is about: `to.`, or nothing
 */
export const problemOf = (refusal: Refusal, call: CallView, to = 'to.'): Problem =>
  PROBLEMS[refusal.reason](refusal, call, to);
