// Puts the files that the worker serves as they are into worker/assets, which is not under version control.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const ASSETS_FOLDER = join(import.meta.dirname, '../../worker/assets');
const SWAGGER_FILES = [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'favicon-32x32.png',
  'LICENSE',
  'NOTICE',
];

/**
 * Brings worker/assets up to date. Files that are the same already are left alone, because touching one restarts a worker
 * that runs in development mode.
 */
export async function buildAssets(): Promise<void> {
  const require = createRequire(import.meta.url);
  const swagger = dirname(require.resolve('swagger-ui-dist/package.json'));
  const target = join(ASSETS_FOLDER, 'docs');
  await mkdir(target, { recursive: true });
  for (const file of SWAGGER_FILES) {
    const wanted = await readFile(join(swagger, file));
    const present = await readFile(join(target, file)).catch(() => undefined);
    if (!present?.equals(wanted)) await writeFile(join(target, file), wanted);
  }
}

if (import.meta.main) await buildAssets();
