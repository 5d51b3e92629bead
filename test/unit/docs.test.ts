// The documents against the code: what they list exists, and what exists is listed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { environment } from '../../relay/config.ts';
import { settings } from '../../worker/config.ts';
import { CALL_STATES } from '../../worker/domain/call.ts';
import { OUTCOME_REASONS, REMEDIES } from '../../worker/domain/outcome.ts';

const root = join(import.meta.dirname, '../..');

// By a path that the compiler does not follow: the worker's code needs the types of its own runtime.
const { createApp } = (await import(join(root, 'worker/app.ts'))) as {
  createApp: (services: object) => { request: (path: string) => Promise<Response> };
};
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const documents = readdirSync(root).filter((file) => file.endsWith('.md'));

/** What stands below a heading. */
const sectionOf = (file: string, heading: string): string =>
  read(file).split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';

/** First cells of the table rows below a heading. */
const tokens = (file: string, heading: string): string[] =>
  [...sectionOf(file, heading).matchAll(/^\| `([\w-]+)` \|/gm)].flatMap(([, token]) => token ?? []);

it('FAILURES.md has a row for every outcome, with its result', () => {
  const rows = [...read('FAILURES.md').matchAll(/^\| `([\w-]+)` \| (\w+) \|/gm)];
  expect(Object.fromEntries(rows.map(([, reason, result]) => [reason, result]))).toEqual(
    OUTCOME_REASONS,
  );
});

it('FAILURES.md gives the remedy that the API gives', () => {
  const rows = new Map(
    [...read('FAILURES.md').matchAll(/^\| `([\w-]+)` \| .* \| (.*) \|$/gm)].map(
      ([, reason = '', cell = '']) => [reason, cell],
    ),
  );
  const wrong = Object.entries(REMEDIES).filter(
    ([reason, remedy]) => !rows.get(reason)?.includes(remedy),
  );
  expect(wrong).toEqual([]);
});

describe('the promises of FAILURES.md', () => {
  /** Cells of the rows of all its tables; heads and rulers are no rows. */
  const rows = sectionOf('FAILURES.md', 'Promises')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (what happens|---)/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );

  it('are there, each with what is done, its limit and tests', () => {
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter((cells) => cells.length !== 4)).toEqual([]);
    const vague = rows.filter(([, , limit = '']) => !/^$|\d|^at once$/.test(limit));
    expect(vague).toEqual([]);
  });

  it.each(rows.map((cells): [string, string] => [cells[0] ?? '', cells.at(-1) ?? '']))(
    '%s: held by tests that exist',
    (_what, tests) => {
      const files = tests
        .split(', ')
        .map((cell) => /^`(test\/[\w/-]+\.test\.ts)`$/.exec(cell)?.[1]);
      expect(files).not.toContain(undefined);
      expect(files.filter((file = '') => !existsSync(join(root, file)))).toEqual([]);
    },
  );
});

it('ARCHITECTURE.md has a row for every state', () => {
  expect(tokens('ARCHITECTURE.md', 'States')).toEqual([...CALL_STATES]);
});

it.each([
  ['.dev.vars.example', settings],
  ['relay/.env.example', environment],
])('%s lists every setting', (file, schema) => {
  const listed = [...read(file).matchAll(/^([A-Z_]+)=/gm)].flatMap(([, name]) => name ?? []);
  expect(listed.toSorted()).toEqual(Object.keys(schema.shape).toSorted());
});

/** Of the OpenAPI document: operations by route, parameters written as `{}`. */
interface Operation {
  readonly requestBody?: {
    readonly content: Record<string, { readonly schema: { readonly $ref?: string } }>;
  };
}
async function api() {
  // The routes ask their services for nothing before a request needs it.
  const response = await createApp({}).request('/v1/openapi.json');
  const { paths, components } = (await response.json()) as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, { properties?: object }> };
  };
  const operations = new Map<string, Operation>();
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      operations.set(routeOf(method, path), operation);
    }
  }
  return { operations, schemas: components.schemas };
}
const routeOf = (method: string, path: string): string =>
  `${method.toUpperCase()} ${path.replaceAll(/:\w+|\{\w+\}|\$\w+/g, '{}')}`;

/** Commands of shell examples that call Roomline's own API. */
const curls = (text: string): string[] =>
  [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .flatMap(([, code = '']) => code.replaceAll(/\\\n\s*/g, '').split(/\n(?=\S)/))
    .map((command) => command.trim())
    .filter((command) => command.startsWith('curl ') && /\/v1\//.test(command));

describe('the API as the documents show it', () => {
  const texts = [
    ...documents.map((file): [string, string] => [file, read(file)]),
    ['remedies', Object.values(REMEDIES).join('\n')] as [string, string],
  ];

  it.each(texts)('%s names only routes that exist', async (_name, text) => {
    const { operations } = await api();
    const named = [...text.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/v1(?:\/:?[\w-]+)+)/g)]
      .map(([, method = '', path = '']) => routeOf(method, path))
      // A route of 360dialog.
      .filter((route) => route !== 'POST /v1/configs/webhook');
    expect(named.filter((route) => !operations.has(route))).toEqual([]);
  });

  it.each(texts)('%s calls routes that exist with fields that they take', async (_name, text) => {
    const { operations, schemas } = await api();
    for (const command of curls(text)) {
      const data = / -d '([\s\S]*)'/.exec(command)?.[1];
      const hasBody = / (-d|--data-binary) /.test(command);
      const method = / -X (\w+)/.exec(command)?.[1] ?? (hasBody ? 'POST' : 'GET');
      const path = /https?:\/\/[^/\s]+(\/v1\/[\w/$-]+)/.exec(command)?.[1] ?? '';
      const operation = operations.get(routeOf(method, path));
      expect(operation, command).toBeDefined();
      if (data === undefined) continue;
      // `'$NAME'` leaves the quotes for a variable of the shell.
      const body = JSON.parse(data.replaceAll(/'\$\w+'/g, 'x')) as object;
      const { $ref = '' } = operation?.requestBody?.content['application/json']?.schema ?? {};
      const known = Object.keys(schemas[$ref.split('/').at(-1) ?? '']?.properties ?? {});
      expect(known, command).toEqual(expect.arrayContaining(Object.keys(body)));
    }
  });

  it('has examples to check', () => {
    expect(curls(read('README.md')).length).toBeGreaterThanOrEqual(3);
  });
});

describe.each(documents)('%s', (file) => {
  it('names only paths that exist', () => {
    const named = [
      ...read(file).matchAll(
        /(?:`|\]\()((?:worker|relay|test|migrations|\.ci)\/[\w./-]*|[A-Z]+\.md)(?:`|\))/g,
      ),
    ];
    const missing = named.flatMap(([, path = '']) => (existsSync(join(root, path)) ? [] : [path]));
    expect(missing).toEqual([]);
  });

  it('names only scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(file).matchAll(/npm run ([\w:]+)/g)].flatMap(([, name]) => name ?? []);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it('shows JavaScript that is JavaScript', () => {
    const folder = mkdtempSync(join(tmpdir(), 'roomline-docs-'));
    for (const [, code] of read(file).matchAll(/```js\n([\s\S]*?)```/g)) {
      const example = join(folder, 'example.mjs');
      writeFileSync(example, code ?? '');
      execFileSync(process.execPath, ['--check', example]);
    }
  });
});
