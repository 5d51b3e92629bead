// `npm run fuzz`: schemathesis makes requests out of the API's document and looks for answers that it does not announce: errors of
// the server, statuses and bodies that are not documented. The worker runs in its real runtime and reaches nothing but this machine.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startLoneWorker } from '../support/use-worker.ts';
import { SetupError } from './livekit-server.ts';
import { Supervisor } from './processes.ts';

const ROOT = join(import.meta.dirname, '../..');
const REQUIREMENTS = join(import.meta.dirname, 'fuzz-requirements.txt');
const CONFIG = join(import.meta.dirname, 'fuzz.toml');
const VENV = join(ROOT, 'node_modules/.cache/schemathesis');
const PROGRAM = join(VENV, 'bin/st');
/** Requests made up for each operation, beside those at the limits of each field. */
const EXAMPLES_PER_OPERATION = '12';
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];
/** The tool knows neither WebSocket nor sounds. */
const LEFT_OUT = ['--exclude-path', '/v1/events', '--exclude-operation-id', 'postPrompts'];

/** Installs schemathesis, unless these very versions are there. */
async function install(): Promise<void> {
  const wanted = await readFile(REQUIREMENTS, 'utf8');
  const stamp = join(VENV, 'installed.txt');
  if (existsSync(stamp) && (await readFile(stamp, 'utf8')) === wanted) return;
  console.log('Installing schemathesis ...');
  await rm(VENV, { recursive: true, force: true });
  run('python3', ['-m', 'venv', VENV]);
  run(join(VENV, 'bin/pip'), ['install', '--quiet', '--no-deps', '-r', REQUIREMENTS]);
  await writeFile(stamp, wanted);
}

/** @throws SetupError when the program is not there or fails */
function run(command: string, args: string[]): void {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status === 0) return;
  throw new SetupError(
    `${command} ${args[0]} ${args[1]} failed. Needed are Python 3.10 or newer with venv (Debian: python3-venv) and PyPI.`,
  );
}

/** @returns the exit code of schemathesis */
function fuzz(url: string, key: string, folder: string): Promise<number> {
  const args = [
    '--config-file',
    CONFIG,
    'run',
    `${url}/v1/openapi.json`,
    '--header',
    `Authorization: Bearer ${key}`,
    '--phases',
    'examples,coverage,fuzzing',
    '--checks',
    CHECKS.join(','),
    // The same requests in every run.
    '--generation-deterministic',
    '--max-examples',
    EXAMPLES_PER_OPERATION,
    '--workers',
    '1',
    '--suppress-health-check',
    'all',
    '--warnings',
    'off',
    '--no-color',
    ...LEFT_OUT,
    ...process.argv.slice(2),
  ];
  // Somewhere of its own: it keeps notes in the folder where it runs.
  const child = spawn(PROGRAM, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

async function main(): Promise<number> {
  await install();
  const folder = join(ROOT, `.state/fuzz-${String(process.pid)}`);
  await mkdir(folder, { recursive: true });
  const supervisor = new Supervisor(join(folder, 'logs'));
  try {
    const { url, adminKey } = await startLoneWorker(folder, supervisor, { isOffline: true });
    return await fuzz(url, adminKey, folder);
  } finally {
    await supervisor.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
