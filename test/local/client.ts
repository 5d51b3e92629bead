// `npm run client [-- FILE]`: writes the types of the API for TypeScript, to be used with `openapi-fetch`.
import { mkdir, writeFile } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OpenAPI3 } from 'openapi-typescript';

const ROOT = join(import.meta.dirname, '../..');
/** Where the types are unless somebody names another place. */
export const CLIENT_FILE = join(ROOT, '.cache/roomline-api.ts');

/** Writes the types of the API as this worker has it. */
export async function writeClient(file: string = CLIENT_FILE): Promise<void> {
  // The generator asks for TypeScript 5, whose package has the same name as that of 7.
  const ours = pathToFileURL(join(import.meta.dirname, 'typescript-api.ts')).href;
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      next(specifier === 'typescript' ? ours : specifier, context),
  });
  const { default: openapiTS, astToString } = await import('openapi-typescript');
  hooks.deregister();
  // By a path that the compiler does not follow: the worker's code needs the types of its own runtime.
  const { createApp } = (await import(join(ROOT, 'worker/app.ts'))) as {
    createApp: (services: object) => { request: (path: string) => Promise<Response> };
  };
  // The routes ask their services for nothing before a request needs it.
  const response = await createApp({}).request('/v1/openapi.json');
  const types = astToString(
    await openapiTS((await response.json()) as OpenAPI3, { defaultNonNullable: false }),
  );
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `// Types of Roomline's API, written by \`npm run client\`.\n${types}`);
}

if (process.argv[1] === import.meta.filename) {
  const [file] = process.argv.slice(2);
  const target = file === undefined ? CLIENT_FILE : resolve(file);
  await writeClient(target);
  console.log(
    `Written: ${target}. Use it with openapi-fetch: createClient<paths>({ baseUrl, headers })`,
  );
}
