// Routing rules as the API takes them and D1 keeps them: the shape of each part. What is wrong with a set as a whole is found in
// `check-rules.ts`; what a set means for a call in `route.ts`. Pure.
import { z } from 'zod';
import { hoursSchema } from './calling-hours.ts';
import { canonicalPhone } from './contact.ts';

/** A rule set is one JSON text; this bounds what is read for every call. In characters. */
export const RULES_LENGTH_MAX = 256_000;
export const RULES_MAX = 1_000;
const STEPS_MAX = 20;
const FLOWS_MAX = 100;
const LIST_MAX = 1_000;
const DEPTH_MAX = 5;
const CLOSED_MAX = 100;

const name = z.string().min(1).max(64);
/** Of teams, flows, schedules and lists: what people write. */
const key = z.string().regex(/^[\w-]{1,64}$/, 'letters, digits, _ and -, at most 64');
/** In the spelling in which contacts have them. */
const digits = z
  .string()
  .regex(/^\d{5,15}$/, 'digits with the country code and without plus')
  .overwrite(canonicalPhone);
const seconds = (min: number, max: number) =>
  z.int().min(min, `${min} to ${max} seconds`).max(max, `${min} to ${max} seconds`);

/** The digit that starts a menu's way. */
const menuKey = z.string().regex(/^[0-9*#]$/, 'one of 0 to 9, * and #');

/** Every member that is there must fit; a rule without any fits every call. */
export const match = z.strictObject({
  numbers: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(100)
    .optional()
    .describe('Numbers called, by their ids here'),
  caller: z
    .strictObject({
      phones: z.array(digits).min(1).max(LIST_MAX).optional().describe('With country code'),
      countries: z
        .array(z.string().regex(/^[A-Z]{2}$/, 'two upper-case letters, ISO 3166-1'))
        .min(1)
        .max(250)
        .optional()
        .describe("Of the caller's phone number"),
      list: key.optional().describe('A list of phone numbers of the rule set'),
      tag: name.optional().describe('A tag of the contact'),
      returning: z
        .boolean()
        .optional()
        .describe('Whether the contact has spoken with somebody here before'),
    })
    .optional(),
  hours: z
    .strictObject({ schedule: key, is: z.enum(['open', 'closed']) })
    .optional()
    .describe(
      'A schedule of the rule set, or `number` for the hours in which users may call the number',
    ),
  payload: z
    .strictObject({
      equals: z.string().max(512).optional().describe('The whole of it'),
      starts_with: z.string().max(512).optional().describe('How it begins'),
    })
    .refine(
      ({ equals, starts_with }) => (equals === undefined) !== (starts_with === undefined),
      'either `equals` or `starts_with`',
    )
    .optional()
    .describe('What a button or link that started the call carries, or how that begins'),
  percentage: z
    .int()
    .min(1)
    .max(99)
    .optional()
    .describe(
      'Takes this share of the calls that get here; the same call always falls the same way',
    ),
  available: z
    .strictObject({ team: key, is: z.boolean().default(true) })
    .optional()
    .describe('Whether somebody of this team could take the call at once'),
});
export type Match = z.infer<typeof match>;

const STRATEGY_TEXT =
  '`all` at once, or one after the other, and one more at once after each that came to nothing';
const EACH_TEXT = 'How long each rings where one rings after the other';
const SKILLS_TEXT = 'Skills that whoever is rung must have';
const STRATEGY = z.enum(['all', 'longest-idle', 'round-robin', 'sticky']);

const ring = z
  .strictObject({
    team: key.optional().describe('Its id'),
    agents: z.array(z.string().min(1).max(64)).min(1).max(50).optional().describe('Their ids'),
    everyone: z
      .literal(true)
      .optional()
      .describe('Anybody may take it, on duty or not; nobody in particular is rung'),
    strategy: STRATEGY.default('all').describe(STRATEGY_TEXT),
    seconds: seconds(5, 120)
      .default(30)
      .describe('How long in all. One after the other each rings for `each_s`'),
    each_s: seconds(5, 60).default(15).describe(EACH_TEXT),
    skills: z.array(name).max(10).default([]).describe(SKILLS_TEXT),
  })
  .refine(
    ({ team, agents, everyone }) =>
      [team, agents, everyone].filter((member) => member !== undefined).length === 1,
    { error: 'one of `team`, `agents` and `everyone`' },
  );

const ai = z.strictObject({
  name: z.string().min(1).max(128).describe('As it is registered with LiveKit'),
  metadata: z.string().max(4_096).default('').describe('Handed to the agent with its job'),
  seconds: seconds(2, 30).default(8).describe('How long it may take to be heard'),
  handover: z
    .strictObject({
      key: menuKey,
      to: z
        .strictObject({
          team: key.optional().describe('Its id'),
          agent_id: z.string().min(1).max(64).optional(),
        })
        .refine(({ team, agent_id }) => (team === undefined) !== (agent_id === undefined), {
          error: 'either `team` or `agent_id`',
        }),
    })
    .optional()
    .describe('A key with which the caller asks for a person while the AI agent speaks with them'),
});

const queue = z.strictObject({
  team: key.describe('Its id'),
  skills: z.array(name).max(10).default([]).describe(SKILLS_TEXT),
  strategy: STRATEGY.default('longest-idle').describe(STRATEGY_TEXT),
  each_s: seconds(5, 60).default(15).describe(EACH_TEXT),
  priority: z.int().min(0).max(9).default(0).describe('Calls of a higher one go first'),
  music: z
    .string()
    .min(1)
    .max(64)
    .default('sound:hold')
    .describe('What is heard meanwhile, over and over'),
  longest_wait_s: seconds(5, 3_600)
    .default(300)
    .describe('After that the call goes on with the next step'),
  length_max: z
    .int()
    .min(1)
    .max(1_000)
    .default(100)
    .describe('The most callers that wait; whoever comes then goes to the next step'),
  callback_key: menuKey
    .optional()
    .describe('A key that leaves a call-back request and ends the call'),
  callback_prompt: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('What is heard after that key; a short tone if nothing is said'),
});

const ask = z.strictObject({
  url: z.string().max(2_048),
  data: z
    .record(key, z.string().max(512))
    .default({})
    .describe('What the endpoint is told besides the call'),
});

const message = z
  .strictObject({
    text: z.string().min(1).max(1_024).optional().describe('Free text'),
    template: z
      .strictObject({
        // Provider: names and languages of templates, WhatsApp Business Platform, read 2026-11.
        name: z.string().regex(/^[a-z0-9_]{1,512}$/, 'lower-case letters, digits and _'),
        language: z.string().regex(/^[a-z]{2,3}(_[A-Z]{2,3})?$/, 'a language such as en or pt_PT'),
        parameters: z
          .array(z.string().min(1).max(1_024))
          .max(20)
          .default([])
          .describe('Of the body, in order'),
      })
      .optional()
      .describe('An approved template'),
  })
  .refine(({ text, template }) => (text === undefined) !== (template === undefined), {
    error: 'either `text` or `template`',
  });

const play = z.strictObject({ prompt: z.string().min(1).max(64).describe('Its id') });
const voicemail = z.strictObject({
  prompt: z.string().min(1).max(64).optional().describe('Heard first'),
  longest_s: seconds(5, 600).default(120).describe('The longest message'),
});
const reject = z.strictObject({});

export interface Menu {
  prompt: string;
  /** How long to wait for a key after the prompt. */
  seconds: number;
  /** How often it is played in all before the call goes on with the next step: no key, or one that leads nowhere. */
  times: number;
  /** What is heard after a wrong key. */
  wrong_key_prompt?: string | undefined;
  keys: Record<string, Step[]>;
}

/** Exactly one member. */
export type Step =
  | { ring: z.infer<typeof ring> }
  | { ai: z.infer<typeof ai> }
  | { menu: Menu }
  | { queue: z.infer<typeof queue> }
  | { play: z.infer<typeof play> }
  | { voicemail: z.infer<typeof voicemail> }
  | { message: z.infer<typeof message> }
  | { ask: z.infer<typeof ask> }
  | { reject: z.infer<typeof reject> }
  | { goto: string };

export type StepType = (typeof TYPES)[number];

const menuOf = (steps: z.ZodType<Step[]>) =>
  z.strictObject({
    prompt: z.string().min(1).max(64).describe('Id of the prompt that says the choices'),
    seconds: seconds(1, 30).default(5).describe('How long to wait for a key after the prompt'),
    times: z
      .int()
      .min(1)
      .max(5)
      .default(2)
      .describe('How often it is played in all before the call goes on with the next step'),
    wrong_key_prompt: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .describe('What is heard after a wrong key'),
    keys: z.record(menuKey, steps).describe('Where each key leads'),
  });

const TYPES = [
  'ring',
  'ai',
  'menu',
  'queue',
  'play',
  'voicemail',
  'message',
  'ask',
  'reject',
  'goto',
] as const;

/** Steps whose menus may hold menus `depth` times: what is deeper is easier to read as a flow of its own. */
function stepsOf(depth: number): z.ZodType<Step[]> {
  // One object with all members, because the errors of a union name no field.
  const step = z
    .strictObject({
      ring: ring.optional().describe('Look for somebody who answers'),
      ai: ai.optional().describe('Send for an AI agent'),
      menu:
        depth > 0
          ? menuOf(stepsOf(depth - 1))
              .optional()
              .describe('Let the caller choose by a key')
          : z.never('menus nest too deep: use a flow').optional(),
      queue: queue.optional().describe('Let the caller wait for somebody of a team'),
      play: play.optional().describe('Play a prompt'),
      voicemail: voicemail.optional().describe('Take a message'),
      message: message.optional().describe('Send the caller a message'),
      ask: ask.optional().describe('Let an endpoint of yours decide'),
      reject: reject.optional().describe('End the call unanswered'),
      goto: key.optional().describe('Go on with a flow'),
    })
    .refine(
      (members) => Object.values(members).filter((member) => member !== undefined).length === 1,
      {
        error: `exactly one of ${TYPES.join(', ')}`,
        abort: true,
      },
    );
  return z.array(step).min(1, 'at least one step').max(STEPS_MAX) as unknown as z.ZodType<Step[]>;
}

export const steps = stepsOf(DEPTH_MAX);

const schedule = hoursSchema.safeExtend({
  closed: z
    .array(z.iso.date('a date as YYYY-MM-DD'))
    .max(CLOSED_MAX)
    .default([])
    .describe('Dates on which nothing is open, by the clock of the zone'),
});

export const ruleSet = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        name,
        match: match.default({}).describe('Every member must fit; without any every call does'),
        steps: steps,
      }),
    )
    .max(RULES_MAX)
    .describe('The first that fits takes the call'),
  flows: z
    .record(key, steps)
    .refine((flows) => Object.keys(flows).length <= FLOWS_MAX, `at most ${FLOWS_MAX} flows`)
    .default({})
    .describe('Steps that several rules and menus share'),
  schedules: z.record(key, schedule).default({}).describe('Opening hours, for `match.hours`'),
  lists: z
    .record(key, z.array(digits).max(LIST_MAX))
    .default({})
    .describe('Phone numbers, for `caller.list`'),
  otherwise: steps.describe('What happens to a call that no rule takes'),
});
export type RuleSet = z.infer<typeof ruleSet>;

/** The one member of a step. */
export const typeOf = (step: Step): StepType => Object.keys(step)[0] as StepType;
