// What becomes of the jobs and timers of a call: more rows of the tables in ARCHITECTURE.md. The compiler sees to it that none is
// left out.
import type { TimerName } from '../../../../worker/domain/call.ts';
import type { JobResult } from '../../../../worker/domain/job.ts';
import {
  away,
  answers,
  BEA,
  BOT,
  claims,
  failure,
  fails,
  hangUp,
  leaves,
  lost,
  mediaEnds,
  ready,
  replies,
  says,
  silent,
  successOf,
  terminates,
  tick,
  type Column,
  type JobName,
  type Way,
} from './transitions-calls.ts';
import { inGrace, isEnd, nameless, onlyIn, unheard, type Case } from './transitions-rows.ts';

export interface JobCase extends Case {
  /** Results that only this job has; without them, that it is done. */
  readonly results?: Readonly<Record<string, JobResult>>;
}

const isMade = replies('room.create');

/** Ended by us, and then by the provider as well. */
const endedTwice =
  (way: Way) =>
  (state: Column): Way =>
    state === 'ended' ? { ...way, last: [terminates()] } : way;

/** Those of rules are in `step-prompted.test.ts`, what supervisors may do is in `step-party.test.ts`. */
type OtherJob = 'message.send' | 'endpoint.ask' | 'room.permit';

export const JOBS: Record<Exclude<JobName, OtherJob>, readonly JobCase[]> = {
  'room.create': [
    { label: 'first', way: { hold: ['room.create'] } },
    { label: 'first, for a room', kind: 'room', way: { hold: ['room.create'] } },
    {
      label: 'again',
      way: (state) =>
        isEnd(state)
          ? { hold: ['room.create'], at: { offered: [isMade], ringing: [isMade], active: [away] } }
          : { last: [away] },
    },
  ],
  'room.await': [
    { label: '', way: { endsFrom: 'claimed', endsBy: hangUp } },
    { label: 'no relay has room', way: onlyIn(['claimed']), free: null },
  ],
  'room.dispatch': [
    {
      label: '',
      kind: 'ai',
      way: { hold: ['room.dispatch'], at: { dialling: [says('ringing')] } },
    },
  ],
  'room.undispatch': [
    {
      label: '',
      kind: 'ai',
      way: {
        hold: ['room.undispatch'],
        at: { active: [ready(BEA), ready(BOT, 'concierge'), leaves(BOT, 'left')] },
      },
    },
  ],
  'room.remove': [{ label: '', way: { hold: ['room.remove'], at: { ringing: [claims(), tick] } } }],
  'room.probe': [
    {
      label: '',
      way: (state) => (isEnd(state) ? { hold: ['room.probe'], at: { active: [silent] } } : unheard),
    },
  ],
  'room.delete': [{ label: '', way: { last: [mediaEnds('closed')] } }],
  'graph.ask': [
    {
      label: '',
      way: { hold: ['graph.ask'], endsFrom: 'asking', endsBy: hangUp },
      results: {
        done: { ok: true },
        'refused, as permission is there': { ...failure('refused'), code: 138017 },
      },
    },
  ],
  'graph.connect': [
    {
      label: '',
      way: { hold: ['graph.connect'], endsFrom: 'dialling' },
      results: { done: successOf('graph.connect'), 'done, without a name': { ok: true } },
    },
    {
      label: 'after a webhook',
      way: { hold: ['graph.connect'], at: { dialling: [answers] }, endsFrom: 'dialling' },
    },
  ],
  'graph.pre_accept': [
    {
      label: '',
      way: (state) =>
        isEnd(state)
          ? { endsFrom: 'preparing' }
          : state === 'preparing'
            ? {}
            : { at: { preparing: [fails('graph.pre_accept', 'unsure'), tick] } },
    },
  ],
  'graph.accept': [{ label: '', way: { endsFrom: 'accepting' } }],
  'graph.reject': [{ label: '', way: endedTwice({ endsFrom: 'ringing', endsBy: hangUp }) }],
  'graph.terminate': [
    { label: '', way: endedTwice({ endsBy: hangUp }) },
    {
      label: 'of a call found late',
      only: 'outbound',
      way: (state) => nameless(state, answers),
    },
  ],
  'record.outcome': [
    {
      label: '',
      way: { hold: ['record.outcome'] },
      results: { done: { ok: true }, 'done, with a charge': { ok: true, charge: { billedS: 6 } } },
    },
  ],
  'message.fallback': [
    { label: '', way: endedTwice({ hold: ['message.fallback'], endsBy: lost }) },
  ],
};

/** Those of rules are in `step-prompted.test.ts` and `step-search.test.ts`, those of people in `step-party.test.ts`. */
export const TIMERS: Record<
  Exclude<TimerName, 'step' | 'each' | 'party' | 'heir'>,
  readonly Case[]
> = {
  answer: [{ label: '' }],
  relayAnswer: [{ label: '' }, { label: 'no other has room', free: null }],
  claim: [{ label: '' }],
  graceLeft: [{ label: '', way: inGrace('left') }],
  graceLost: [{ label: '', way: inGrace('lost') }],
  mediaLost: [{ label: '', way: { last: [mediaEnds('media-lost')] } }],
  control: [{ label: '', way: unheard }],
  ask: [{ label: '' }],
  ring: [{ label: '' }, { label: 'of a call without a name', way: (state) => nameless(state) }],
  adopt: [{ label: '', way: (state) => nameless(state) }],
  join: [{ label: '' }],
  cleanUp: [{ label: '' }],
  sweep: [{ label: '' }],
};

/** A job waits for another attempt. */
export const PAUSE: Case = {
  label: 'the pause of a job is over',
  way: (state) =>
    isEnd(state)
      ? { hold: ['record.outcome'], last: [fails('record.outcome', 'unavailable')] }
      : state === 'offering' || state === 'dialling' || state === 'active'
        ? { last: [away, fails('room.create', 'unavailable')] }
        : { hold: ['room.create'], last: [fails('room.create', 'unavailable')] },
};
