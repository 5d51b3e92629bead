// `npm run rules` against the running worker: rules that are kept in Git.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { useStack } from '../support/use-stack.ts';

const stack = useStack('rules-command');
const folder = mkdtempSync(join(tmpdir(), 'roomline-rules-'));
const file = join(folder, 'rules.json');
afterAll(() => rmSync(folder, { recursive: true }));

interface Done {
  readonly code: number | string | null | undefined;
  readonly text: string;
}

const run = (args: readonly string[], env: Record<string, string> = {}): Promise<Done> =>
  new Promise((resolve) => {
    const script = join(import.meta.dirname, '../local/rules.ts');
    const { options, secrets } = stack();
    const variables = {
      PATH: process.env['PATH'] ?? '',
      ROOMLINE_URL: `http://127.0.0.1:${options.ports.worker}`,
      ROOMLINE_KEY: secrets.ADMIN_API_KEY,
      ...env,
    };
    execFile(process.execPath, [script, ...args], { env: variables }, (error, stdout, stderr) =>
      resolve({ code: error ? error.code : 0, text: stdout + stderr }),
    );
  });

interface Kept {
  version: number;
  rules: { rules: object[]; otherwise: object[] };
}
const read = (): Kept => JSON.parse(readFileSync(file, 'utf8')) as Kept;
const change = (otherwise: object[]): void =>
  writeFileSync(file, JSON.stringify({ ...read(), rules: { rules: [], otherwise } }));
const inForce = () => stack().admin.request<Kept>('GET', '/v1/rules');

it('pulls, checks and pushes, and shows the version that is in force then', async () => {
  expect(await run(['pull', file])).toMatchObject({ code: 0 });
  const { version } = read();
  change([{ reject: {} }]);
  expect(await run(['check', file])).toMatchObject({ code: 0 });
  expect((await inForce()).version).toBe(version);
  const pushed = await run(['push', file]);
  expect([pushed.code, read().version]).toEqual([0, version + 1]);
  expect(pushed.text).toContain(`Version ${version + 1} is in force`);
  expect(await inForce()).toMatchObject({
    version: version + 1,
    rules: { otherwise: [{ reject: {} }] },
  });
});

it.each(['check', 'push'])(
  '%s names everything that is wrong, and ends with 1',
  async (command) => {
    await run(['pull', file]);
    const before = await inForce();
    change([{ ring: { team: 'nobody' } }, { play: { prompt: 'none' } }]);
    const { code, text } = await run([command, file]);
    expect(code).toBe(1);
    expect(text).toContain('otherwise.0.ring.team: Expected a team; there is no nobody');
    expect(text).toContain('otherwise.1.play.prompt: ');
    expect(await inForce()).toEqual(before);
  },
);

it('takes the set of the README', async () => {
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
  const [, section = ''] = readme.split('\n## Routing rules\n');
  const [, example = ''] = /```json\n([\s\S]*?)```/.exec(section) ?? [];
  for (const id of ['sales', 'support'])
    await stack().admin.request('POST', '/v1/teams', { id, name: id });
  writeFileSync(file, example);
  const { text } = await run(['push', file, '--force']);
  expect(text).toContain('is in force');
  expect((await inForce()).rules.rules).toHaveLength(5);
});

it('does not overwrite what somebody else has put in force, unless it is told to', async () => {
  await run(['pull', file]);
  const { version } = await stack().admin.request<Kept>('PUT', '/v1/rules', {
    rules: { rules: [], otherwise: [{ ring: { everyone: true } }] },
  });
  change([{ reject: {} }]);
  const refused = await run(['push', file]);
  expect([refused.code, refused.text]).toEqual([
    1,
    expect.stringContaining(`Version ${version} is in force`),
  ]);
  expect((await inForce()).version).toBe(version);
  expect(await run(['push', file, '--force'])).toMatchObject({ code: 0 });
  expect((await inForce()).version).toBe(version + 1);
});

it.each<[string, string[], Record<string, string>, RegExp]>([
  ['another command', ['pop'], {}, /^Usage/],
  ['no address', ['pull', file], { ROOMLINE_URL: '' }, /^ROOMLINE_URL: expected/],
  [
    'an address where nobody is',
    ['pull', file],
    { ROOMLINE_URL: 'http://127.0.0.1:9' },
    /does not answer/,
  ],
  ['a wrong key', ['pull', file], { ROOMLINE_KEY: 'wrong' }, /ROOMLINE_KEY is not known/],
  ['a file that is not there', ['check', join(folder, 'none.json')], {}, /cannot be read/],
])('ends with 2 for %s', async (_name, args, env, text) => {
  const done = await run(args, env);
  expect([done.code, done.text]).toEqual([2, expect.stringMatching(text)]);
});
