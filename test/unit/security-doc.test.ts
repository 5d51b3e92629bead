// SECURITY.md against the code: who may use which route, and every secret there is.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { environment } from '../../relay/config.ts';
import { settings } from '../../worker/config.ts';
import { ACCESS } from '../support/access.ts';

const root = join(import.meta.dirname, '../..');
const document = readFileSync(join(root, 'SECURITY.md'), 'utf8');

/** Cells of the table rows below a heading, without the head. */
const rows = (heading: string): string[][] =>
  (document.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) =>
      line
        .slice(2, -2)
        .split(' | ')
        .map((cell) => cell.trim()),
    );

describe('who can reach what', () => {
  const doors = rows('Who can reach what').flatMap(([addresses = '', who]) =>
    [...addresses.matchAll(/`(?:([A-Z]+) )?([^`]+)`/g)].map(([, method, path = '']) => ({
      method,
      path,
      who,
    })),
  );
  /** The address that is closest above a route; of two, the one that names its method. */
  const doorOf = (method: string, path: string) =>
    doors
      .filter((door) => door.method === undefined || door.method === method)
      .filter((door) => path === door.path || path.startsWith(`${door.path}/`))
      .toSorted((a, b) => b.path.length - a.path.length || (a.method === undefined ? 1 : -1))[0];

  it.each(Object.entries(ACCESS))('%s: %s', (route, access) => {
    const [method = '', path = ''] = route.split(' ');
    expect(doorOf(method, path)?.who).toBe(access);
  });

  it('names no address that does not exist', () => {
    const paths = Object.keys(ACCESS).map((route) => route.split(' ')[1] ?? '');
    const leading = doors.filter(({ path }) => !paths.some((other) => other.startsWith(path)));
    expect(leading).toEqual([]);
  });
});

describe('secrets', () => {
  const named = rows('Secrets').flatMap(([cell = '']) => /^`(\w+)`/.exec(cell)?.[1] ?? []);
  const isSecret = (name: string): boolean => /SECRET|TOKEN|_KEYS?$/.test(name);

  it('has a row for every setting that is one', () => {
    const all = [...Object.keys(settings.shape), ...Object.keys(environment.shape)].filter(
      isSecret,
    );
    // Names LiveKit's pair, and is in every token.
    const secrets = all.filter((name) => name !== 'LIVEKIT_API_KEY');
    expect(named.toSorted()).toEqual(secrets.toSorted());
  });
});

it('the platform keeps no notes of requests', () => {
  const wrangler = readFileSync(join(root, 'wrangler.toml'), 'utf8');
  expect(wrangler).toMatch(/^\[observability\.logs\]\n(#.*\n)*invocation_logs = false$/m);
});
