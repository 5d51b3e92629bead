// The documents against the code: what they list exists, and what exists is listed.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { environment } from '../../relay/config.ts';
import { settings } from '../../worker/config.ts';
import { CALL_STATES } from '../../worker/domain/call.ts';
import { OUTCOME_REASONS } from '../../worker/domain/outcome.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const documents = readdirSync(root).filter((file) => file.endsWith('.md'));

/** First cells of the table rows below a heading. */
const tokens = (file: string, heading: string): string[] => {
  const section = read(file).split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| `([\w-]+)` \|/gm)].flatMap(([, token]) => token ?? []);
};

it('FAILURES.md has a row for every outcome, with its result', () => {
  const rows = [...read('FAILURES.md').matchAll(/^\| `([\w-]+)` \| (\w+) \|/gm)];
  expect(Object.fromEntries(rows.map(([, reason, result]) => [reason, result]))).toEqual(
    OUTCOME_REASONS,
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
