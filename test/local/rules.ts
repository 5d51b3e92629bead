// `npm run rules -- pull | check | push [file] [--force]`: routing rules kept in Git. The file holds the rules and the version that
// they were made from. ROOMLINE_URL and ROOMLINE_KEY say where and as whom. Ends with 1 when the rules are refused, with 2 when
// that could not be found out.
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';

const environment = z.object({
  ROOMLINE_URL: z.url({ protocol: /^https?$/, error: 'the http(s):// address of the worker' }),
  ROOMLINE_KEY: z
    .string('a key of the role supervisor, or admin to push')
    .min(1, 'a key of the role supervisor, or admin to push'),
});
const COMMANDS = ['pull', 'check', 'push'] as const;
const FILE = 'rules.json';
const TIMEOUT_MS = 30_000;

/** What is in the rules is for the worker to judge. */
const kept = z.object({ version: z.int().min(0), rules: z.record(z.string(), z.unknown()) });
type Kept = z.infer<typeof kept>;
const problem = z.object({
  title: z.string(),
  detail: z.string().optional(),
  version: z.int().optional(),
  errors: z
    .array(
      z
        .object({ path: z.string(), message: z.string() })
        .or(z.object({ field: z.string(), expected: z.string() })),
    )
    .default([]),
});
type Problem = z.infer<typeof problem>;

/** What cannot be gone on with; `code` is what the command ends with. */
class Stop extends Error {
  readonly code: 1 | 2;

  constructor(code: 1 | 2, message: string) {
    super(message);
    this.code = code;
  }
}

async function main(): Promise<void> {
  const [command, ...rest] = process.argv.slice(2);
  const isForced = rest.includes('--force');
  const [file = FILE, ...more] = rest.filter((argument) => argument !== '--force');
  const known = COMMANDS.find((name) => name === command);
  if (!known || more.length > 0 || file.startsWith('-') || (isForced && known !== 'push')) {
    throw new Stop(2, 'Usage: npm run rules -- pull | check | push [file] [--force]');
  }
  const settings = environment.safeParse(process.env);
  if (!settings.success) {
    const lines = settings.error.issues.map(
      ({ path, message }) => `${String(path[0])}: expected ${message}`,
    );
    throw new Stop(2, lines.join('\n'));
  }
  const worker = new Worker(settings.data.ROOMLINE_URL, settings.data.ROOMLINE_KEY);
  if (known === 'pull') await pull(worker, file);
  if (known === 'check') await check(worker, file);
  if (known === 'push') await push(worker, file, isForced);
}

async function pull(worker: Worker, file: string): Promise<void> {
  const rules = kept.parse(await worker.ask('GET', '/v1/rules'));
  await write(file, rules);
  console.log(`Version ${rules.version} is in ${file}.`);
}

async function check(worker: Worker, file: string): Promise<void> {
  const { rules } = await read(file);
  await worker.ask('POST', '/v1/rules/check', { rules });
  console.log(`The rules in ${file} can be put in force.`);
}

async function push(worker: Worker, file: string, isForced: boolean): Promise<void> {
  const { version, rules } = await read(file);
  const saved = kept.parse(
    await worker.ask('PUT', '/v1/rules', isForced ? { rules } : { version, rules }),
  );
  await write(file, saved);
  console.log(`Version ${saved.version} is in force, and in ${file}.`);
}

const write = (file: string, { version, rules }: Kept): Promise<void> =>
  writeFile(file, `${JSON.stringify({ version, rules }, null, 2)}\n`);

async function read(file: string): Promise<Kept> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new Stop(2, `${file} cannot be read; \`npm run rules -- pull ${file}\` makes it`);
  });
  try {
    return kept.parse(JSON.parse(text));
  } catch {
    throw new Stop(2, `${file}: expected JSON with \`version\` and \`rules\`, as pull writes it`);
  }
}

class Worker {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  /** @returns the answer's JSON; null for an answer without a body */
  async ask(method: string, path: string, body?: object): Promise<unknown> {
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch(() => {
      throw new Stop(2, `${this.#url} does not answer; is ROOMLINE_URL the address of the worker?`);
    });
    if (response.ok) return response.status === 204 ? null : response.json();
    if (response.status === 401) throw new Stop(2, 'ROOMLINE_KEY is not known');
    const told = problem.safeParse(await response.json().catch(() => null));
    if (!told.success) throw new Stop(2, `${path} answered ${response.status}`);
    throw new Stop(isAboutRules(response.status) ? 1 : 2, textOf(told.data));
  }
}

/** Refused for what the rules are, and not for who asks or what is away. */
const isAboutRules = (status: number): boolean => [400, 409, 413, 422].includes(status);

function textOf({ title, detail, version, errors }: Problem): string {
  if (version !== undefined) {
    return `Version ${version} is in force, and the file was made from another one: pull it and change that, or push with --force.`;
  }
  const findings = errors.map((error) =>
    'path' in error ? `  ${error.path}: ${error.message}` : `  ${error.field}: ${error.expected}`,
  );
  return [`${title}${detail === undefined ? '' : `. ${detail}`}`, ...findings].join('\n');
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = error instanceof Stop ? error.code : 2;
}
