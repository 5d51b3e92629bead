// `npm test`: every check in one go, cheapest first; stops at the first that fails, with its output.
// `--quick` (`npm run verify`) leaves out everything that takes more than seconds. Other arguments go to vitest.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { whyNoNamespaces } from '../network/namespaces.ts';
import { buildAssets } from './build-assets.ts';
import { writeClient } from './client.ts';
import { findChromium, NO_CHROMIUM } from './chromium.ts';
import { findSoundTool, noSoundTool, SOUND_TOOLS } from './sound-tools.ts';
import { installSampleAgent } from '../support/sample-agent.ts';
import { externalLiveKit, findLiveKitServer, SetupError } from './livekit-server.ts';

const ROOT = join(import.meta.dirname, '../..');
const packageScript = (path: string): string => join(ROOT, 'node_modules', path);

type Stage = { name: string; script: string; args: string[] };

const CHECKS: Stage[] = [
  { name: 'types', script: packageScript('typescript/bin/tsc'), args: ['-b'] },
  {
    name: 'format',
    script: packageScript('prettier/bin/prettier.cjs'),
    args: ['--check', '--log-level', 'warn', '.'],
  },
  { name: 'lint', script: packageScript('oxlint/bin/oxlint'), args: ['--type-aware'] },
];
const DRIFT: Stage = {
  name: 'migrations match the schema',
  script: join(import.meta.dirname, 'migration-drift.ts'),
  args: [],
};

/** Runs a script of Node's to its end; when it fails, so does the whole run, with the same code. */
async function runStage({ name, script, args }: Stage): Promise<void> {
  const startedMs = Date.now();
  const child = spawn(process.execPath, [script, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    // Without a terminal, plain text: not every tool notices by itself.
    env: { ...process.env, ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }) },
  });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGTERM', forward);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode) => resolve(exitCode ?? 1));
  });
  process.off('SIGTERM', forward);
  if (code !== 0) {
    console.error(`\nFailed: ${name} (see above).`);
    process.exit(code);
  }
  console.log(`${name}: ok (${((Date.now() - startedMs) / 1000).toFixed(1)} s)`);
}

const vitest = (args: string[]): Stage => ({
  name: 'tests',
  script: packageScript('vitest/vitest.mjs'),
  args: ['run', '--config', 'test/vitest.config.ts', ...args],
});

/** Gets what the whole-process tests need before any of them runs: a first build takes minutes and is no test's fault. */
async function prepareWholeProcessTests(): Promise<void> {
  const external = await externalLiveKit();
  const source = external ? `LIVEKIT_URL=${external.url}` : (await findLiveKitServer()).path;
  console.log(`livekit-server: ${source}`);
  const namespaces = whyNoNamespaces();
  console.log(
    `network namespaces: ${namespaces === undefined ? 'there' : `${namespaces}; the test of a real NAT is skipped`}`,
  );
  console.log(`Chromium: ${findChromium() ?? `${NO_CHROMIUM}; the browser tests are skipped`}`);
  await installSampleAgent(console.log);
  for (const tool of SOUND_TOOLS)
    console.log(`${tool}: ${findSoundTool(tool) ?? `${noSoundTool(tool)}; its test is skipped`}`);
}

async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const isQuick = args.includes('--quick');
  const vitestArgs = args.filter((arg) => arg !== '--quick');
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  await buildAssets();
  // The program in test/client is looked at with its types.
  await writeClient();
  for (const stage of CHECKS) await runStage(stage);
  if (isQuick) {
    await runStage(vitest(['--project', 'unit', ...vitestArgs]));
    return;
  }
  if (existsSync(join(ROOT, 'worker/db/schema.ts'))) await runStage(DRIFT);
  await prepareWholeProcessTests();
  await runStage(vitest(vitestArgs));
}

try {
  await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exit(1);
}
