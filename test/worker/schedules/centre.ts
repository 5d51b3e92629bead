// The contact centre of a schedule: three agents of one team, and a rule for each way in which calls look for them.
import fc from 'fast-check';
import type { PeopleReader } from '../../../worker/adapters/people-d1.ts';
import type { Attendance, AttendanceBook } from '../../../worker/front-desk.ts';
import { ruleSet, steps } from '../../../worker/domain/rules.ts';
import { AGENT_IDS } from './deliveries.ts';
import { MISSING } from './sound.ts';

export const TEAM = 'team';
/** What endpoints answer when they have something to say. */
export const ANSWERED = steps.parse([
  { play: { prompt: 'prompt' } },
  { menu: { prompt: 'prompt', seconds: 2, times: 1, keys: { 1: [{ ring: { team: TEAM } }] } } },
]);

/** What a button carried that started a call, and the steps of the rule for it. */
const RULES = {
  ring: [{ ring: { team: TEAM, strategy: 'longest-idle', each_s: 5, seconds: 20 } }],
  queue: [{ queue: { team: TEAM, each_s: 5, longest_wait_s: 20 } }],
  'ring-queue': [
    { ring: { team: TEAM, seconds: 8 } },
    { queue: { team: TEAM, strategy: 'all', longest_wait_s: 15, priority: 3 } },
  ],
  menu: [
    {
      menu: {
        prompt: 'prompt',
        wrong_key_prompt: MISSING,
        seconds: 3,
        keys: {
          1: [{ queue: { team: TEAM, longest_wait_s: 10, callback_key: '*' } }],
          2: [{ play: { prompt: MISSING } }, { ring: { team: TEAM, seconds: 8 } }],
        },
      },
    },
    { voicemail: { prompt: 'prompt', longest_s: 8 } },
  ],
  ask: [
    { ask: { url: 'https://rules.test/ask' } },
    { message: { text: 'text' } },
    { queue: { team: TEAM, longest_wait_s: 10, music: MISSING } },
    { voicemail: { longest_s: 8 } },
  ],
} as const;
export type Payload = keyof typeof RULES;

/** Most calls may be taken by every agent, as where no rules were saved. */
export const anyPayload: fc.Arbitrary<Payload | null> = fc.constantFrom(
  null,
  null,
  ...(Object.keys(RULES) as Payload[]),
);

const rules = ruleSet.parse({
  rules: Object.entries(RULES).map(([payload, of]) => ({
    name: payload,
    match: { payload: { equals: payload } },
    steps: of,
  })),
  otherwise: [{ ring: { everyone: true } }],
});

const members = AGENT_IDS.map((id) => ({
  id: id as never,
  name: id,
  teams: [TEAM],
  skills: [],
  capacity: 1,
  ai: null,
}));

/** After a call of the team its members have 3 s to themselves. */
export const centre: PeopleReader = {
  people: async () => ({
    members,
    wrapUpMs: new Map([[TEAM, 3_000]]),
    views: new Map(),
    masking: 'none',
  }),
  rules: async () => ({ version: 1, rules }),
  rulesOf: async (version) => ({ version, rules }),
};

export const attendanceIn = (kept: Map<string, Attendance>): AttendanceBook => ({
  get: (agentId) => kept.get(agentId) ?? null,
  put: (agentId, attendance) => void kept.set(agentId, attendance),
});
