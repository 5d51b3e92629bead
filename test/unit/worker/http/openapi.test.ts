// The API's document against the specification, and against what whoever reads it needs.
import { join } from 'node:path';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';

interface Schema {
  readonly $ref?: string;
  readonly type?: string | string[];
  readonly description?: string;
  readonly example?: unknown;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly anyOf?: Schema[];
  readonly allOf?: Schema[];
}
interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: string[];
  readonly parameters?: { name: string; in: string; description?: string; schema: Schema }[];
  readonly requestBody?: { content: Record<string, { schema: Schema }> };
  readonly responses: Record<string, { description: string; content?: object }>;
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, Schema> };
}

// By a path that the compiler does not follow: the worker's code needs the types of its own runtime.
const { createApp } = (await import(join(import.meta.dirname, '../../../../worker/app.ts'))) as {
  createApp: (services: object) => { request: (path: string) => Promise<Response> };
};
// The routes ask their services for nothing before a request needs it.
const response = await createApp({}).request('/v1/openapi.json');
const document = (await response.json()) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]): [string, Operation] => [
    `${method.toUpperCase()} ${path}`,
    operation,
  ]),
);

it('is OpenAPI 3.1', async () => {
  const validator = new Validator();
  expect(await validator.validate(document as never)).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

it('names each operation once', () => {
  const ids = operations.map(([, { operationId }]) => operationId);
  expect(new Set(ids).size).toBe(operations.length);
  for (const id of ids) expect(id).toMatch(/^[a-z]+[A-Za-z]+$/);
});

it('has no named schema that is null wherever it is used', () => {
  const nullable = Object.entries(document.components.schemas).filter(
    ([, { type, anyOf = [], allOf = [] }]) =>
      [{ type }, ...anyOf, ...allOf].some((part) => part.type?.includes('null')),
  );
  expect(nullable.map(([name]) => name)).toEqual([]);
  // Both would have to hold: the schema, and the null.
  expect(JSON.stringify(document)).not.toContain('{"type":["object","null"]}]');
});

/** Says what it is by itself. */
const EVIDENT = new Set(
  [
    'id',
    'name',
    'url',
    'language',
    'timezone',
    'weekly',
    'holidays',
    'day',
    'date',
    'open',
    'close',
  ].concat(['provider', 'email', 'role']),
);
const isEvident = (name: string, { description, example }: Schema): boolean =>
  description !== undefined ||
  example !== undefined ||
  EVIDENT.has(name) ||
  // `agent_id` is the id of an agent.
  name.endsWith('_id');

/** Paths of properties that nobody could fill in without asking. What explains an object explains its members. */
function unexplained(schema: Schema, path: string, seen = new Set<string>()): string[] {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    const target = document.components.schemas[name];
    return target && !seen.has(name) ? unexplained(target, path, new Set([...seen, name])) : [];
  }
  const parts = [
    ...(schema.anyOf ?? []),
    ...(schema.allOf ?? []),
    ...(schema.items ? [schema.items] : []),
  ];
  return [
    ...parts.flatMap((part) => unexplained(part, path, seen)),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, property]) => [
      ...(property.$ref !== undefined || isEvident(name, property) ? [] : [`${path}.${name}`]),
      ...(property.description === undefined ? unexplained(property, `${path}.${name}`, seen) : []),
    ]),
  ];
}

describe.each(operations)('%s', (_route, operation) => {
  const { summary, tags, parameters = [], requestBody, responses } = operation;

  it('says what it does', () => {
    expect(summary).toMatch(/\S{2}/);
    expect(tags).toHaveLength(1);
  });

  it('explains what it takes', () => {
    const unclear = parameters.filter(
      ({ name, description, schema }) => description === undefined && !isEvident(name, schema),
    );
    expect(unclear.map(({ name }) => name)).toEqual([]);
    const bodies = Object.values(requestBody?.content ?? {});
    expect(bodies.flatMap(({ schema }) => unexplained(schema, 'body'))).toEqual([]);
  });

  it('documents what it answers, and every refusal that can come', () => {
    const statuses = Object.keys(responses);
    expect(statuses.some((status) => /^[123]/.test(status))).toBe(true);
    expect(statuses).toEqual(expect.arrayContaining(['400', '401', '403', '413', '429', '503']));
    for (const [status, { description, content = {} }] of Object.entries(responses)) {
      expect(description).toMatch(/\S{2}/);
      if (/^[45]/.test(status)) expect(Object.keys(content)).toEqual(['application/problem+json']);
    }
  });
});
