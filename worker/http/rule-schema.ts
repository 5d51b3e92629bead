// Routing rules as the API takes and documents them. Steps hold menus and menus hold steps: the document describes steps once, and
// refers to that.
import { z } from '@hono/zod-openapi';
import { ruleSet, steps } from '../domain/rules.ts';

type JsonSchema = Record<string, unknown>;

const STEPS = { $ref: '#/components/schemas/RuleSteps' };

/** @param isSteps whether the schema at this path is the one of steps */
function describe(schema: z.ZodType, isSteps: (path: string) => boolean): JsonSchema {
  const { $schema: _, ...described } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema, path }) => {
      if (!isSteps(path.join('.'))) return;
      for (const member of Object.keys(jsonSchema)) delete (jsonSchema as JsonSchema)[member];
      Object.assign(jsonSchema, STEPS);
    },
  });
  return described;
}

export const ruleSteps = steps.openapi(
  'RuleSteps',
  describe(steps, (path) => path.endsWith('keys.additionalProperties')),
);

const STEP_LISTS: ReadonlySet<string> = new Set([
  'properties.rules.items.properties.steps',
  'properties.flows.additionalProperties',
  'properties.otherwise',
]);

export const rules = ruleSet.openapi(
  'RuleSet',
  describe(ruleSet, (path) => STEP_LISTS.has(path)),
);
