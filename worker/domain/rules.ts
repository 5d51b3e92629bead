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
  /** Numbers called, by their ids here. */
  numbers: z.array(z.string().min(1).max(64)).min(1).max(100).optional(),
  caller: z
    .strictObject({
      phones: z.array(digits).min(1).max(LIST_MAX).optional(),
      /** Of the caller's phone number. */
      countries: z
        .array(z.string().regex(/^[A-Z]{2}$/, 'two upper-case letters, ISO 3166-1'))
        .min(1)
        .max(250)
        .optional(),
      /** A list of phone numbers of the rule set. */
      list: key.optional(),
      /** A tag of the contact. */
      tag: name.optional(),
      /** Whether the contact has spoken with somebody here before. */
      returning: z.boolean().optional(),
    })
    .optional(),
  /** A schedule of the rule set, or `number` for the hours in which users may call the number. */
  hours: z.strictObject({ schedule: key, is: z.enum(['open', 'closed']) }).optional(),
  /** What a button or link that started the call carries, or how that begins. */
  payload: z
    .strictObject({
      equals: z.string().max(512).optional(),
      starts_with: z.string().max(512).optional(),
    })
    .refine(
      ({ equals, starts_with }) => (equals === undefined) !== (starts_with === undefined),
      'either `equals` or `starts_with`',
    )
    .optional(),
  /** Takes this share of the calls that get here; the same call always falls the same way. */
  percentage: z.int().min(1).max(99).optional(),
  /** Whether somebody of this team could take the call at once. */
  available: z.strictObject({ team: key, is: z.boolean().default(true) }).optional(),
});
export type Match = z.infer<typeof match>;

/** `all` at once, or one after the other, and one more at once after each that came to nothing. */
const STRATEGY = z.enum(['all', 'longest-idle', 'round-robin', 'sticky']);

const ring = z
  .strictObject({
    team: key.optional(),
    agents: z.array(z.string().min(1).max(64)).min(1).max(50).optional(),
    /** Anybody may take it, on duty or not; nobody in particular is rung. */
    everyone: z.literal(true).optional(),
    strategy: STRATEGY.default('all'),
    /** How long in all. One after the other each rings for `each_s`. */
    seconds: seconds(5, 120).default(30),
    each_s: seconds(5, 60).default(15),
    /** Skills that whoever is rung must have. */
    skills: z.array(name).max(10).default([]),
  })
  .refine(
    ({ team, agents, everyone }) =>
      [team, agents, everyone].filter((member) => member !== undefined).length === 1,
    { error: 'one of `team`, `agents` and `everyone`' },
  );

const ai = z.strictObject({
  /** As it is registered with LiveKit. */
  name: z.string().min(1).max(128),
  metadata: z.string().max(4_096).default(''),
  /** How long it may take to be heard. */
  seconds: seconds(2, 30).default(8),
});

const queue = z.strictObject({
  team: key,
  skills: z.array(name).max(10).default([]),
  strategy: STRATEGY.default('longest-idle'),
  each_s: seconds(5, 60).default(15),
  /** Calls of a higher one go first. */
  priority: z.int().min(0).max(9).default(0),
  /** What is heard meanwhile, over and over. */
  music: z.string().min(1).max(64).default('sound:hold'),
  longest_wait_s: seconds(5, 3_600).default(300),
  /** The most callers that wait; whoever comes then goes to the next step. */
  length_max: z.int().min(1).max(1_000).default(100),
  /** A key that leaves a call-back request and ends the call. */
  callback_key: menuKey.optional(),
  /** What is heard after that key; a short tone if nothing is said. */
  callback_prompt: z.string().min(1).max(64).optional(),
});

const ask = z.strictObject({
  url: z.string().max(2_048),
  /** What the endpoint is told besides the call. */
  data: z.record(key, z.string().max(512)).default({}),
});

const message = z
  .strictObject({
    text: z.string().min(1).max(1_024).optional(),
    template: z
      .strictObject({
        // Provider: names and languages of templates, WhatsApp Business Platform, read 2026-11.
        name: z.string().regex(/^[a-z0-9_]{1,512}$/, 'lower-case letters, digits and _'),
        language: z.string().regex(/^[a-z]{2,3}(_[A-Z]{2,3})?$/, 'a language such as en or pt_PT'),
        /** Of the body, in order. */
        parameters: z.array(z.string().min(1).max(1_024)).max(20).default([]),
      })
      .optional(),
  })
  .refine(({ text, template }) => (text === undefined) !== (template === undefined), {
    error: 'either `text` or `template`',
  });

const play = z.strictObject({ prompt: z.string().min(1).max(64) });
const voicemail = z.strictObject({
  /** Heard first. */
  prompt: z.string().min(1).max(64).optional(),
  longest_s: seconds(5, 600).default(120),
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
    prompt: z.string().min(1).max(64),
    seconds: seconds(1, 30).default(5),
    times: z.int().min(1).max(5).default(2),
    wrong_key_prompt: z.string().min(1).max(64).optional(),
    keys: z.record(menuKey, steps),
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
      ring: ring.optional(),
      ai: ai.optional(),
      menu:
        depth > 0
          ? menuOf(stepsOf(depth - 1)).optional()
          : z.never('menus nest too deep: use a flow').optional(),
      queue: queue.optional(),
      play: play.optional(),
      voicemail: voicemail.optional(),
      message: message.optional(),
      ask: ask.optional(),
      reject: reject.optional(),
      goto: key.optional(),
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

export const ruleSet = z.strictObject({
  rules: z.array(z.strictObject({ name, match: match.default({}), steps })).max(RULES_MAX),
  /** Steps that several rules and menus share. */
  flows: z
    .record(key, steps)
    .refine((flows) => Object.keys(flows).length <= FLOWS_MAX, `at most ${FLOWS_MAX} flows`)
    .default({}),
  schedules: z.record(key, hoursSchema).default({}),
  /** Phone numbers, for `caller.list`. */
  lists: z.record(key, z.array(digits).max(LIST_MAX)).default({}),
  /** What happens to a call that no rule takes. */
  otherwise: steps,
});
export type RuleSet = z.infer<typeof ruleSet>;

/** The one member of a step. */
export const typeOf = (step: Step): StepType => Object.keys(step)[0] as StepType;
