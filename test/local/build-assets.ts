// Makes what the worker is deployed with and what is not under version control: the files that it serves as they are, in
// worker/assets, and the Opus codec.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { opusWasm } from './opus-wasm.ts';

const ASSETS_FOLDER = join(import.meta.dirname, '../../worker/assets');
const OPUS_FILE = join(import.meta.dirname, '../../worker/adapters/opus.wasm');
const SWAGGER_FILES = [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'favicon-32x32.png',
  'LICENSE',
  'NOTICE',
];

/**
 * Brings both up to date. Files that are the same already are left alone, because touching one restarts a worker
 * that runs in development mode.
 */
export async function buildAssets(): Promise<void> {
  const require = createRequire(import.meta.url);
  const swagger = dirname(require.resolve('swagger-ui-dist/package.json'));
  const target = join(ASSETS_FOLDER, 'docs');
  await mkdir(target, { recursive: true });
  for (const file of SWAGGER_FILES) {
    await update(join(target, file), await readFile(join(swagger, file)));
  }
  await update(OPUS_FILE, await opusWasm());
}

async function update(file: string, wanted: Uint8Array): Promise<void> {
  const present = await readFile(file).catch(() => undefined);
  if (!present?.equals(wanted)) await writeFile(file, wanted);
}

if (import.meta.main) await buildAssets();
