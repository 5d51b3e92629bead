// `npm start`: all of Roomline on this machine with a simulated WhatsApp, one call to show that it works, and then it stays up
// for you to use. `--once` ends after the call, with code 0 only if it went well.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startStack, type Stack } from '../support/stack.ts';
import { serveAgentPage } from './agent/server.ts';
import { buildAssets } from './build-assets.ts';
import { runDemoCall } from './demo-call.ts';
import { externalLiveKit, findLiveKitServer, SetupError } from './livekit-server.ts';
import { Supervisor } from './processes.ts';
import { checkPorts, readSettings, type Settings } from './settings.ts';

const isOnce = process.argv.includes('--once');
/** Somebody wants it to stop; from then on failures of what is being stopped are no news. */
let isInterrupted = false;

async function main(settings: Settings, supervisor: Supervisor): Promise<void> {
  const { stateFolder } = settings;
  await mkdir(stateFolder, { recursive: true });
  // What takes minutes on a bare machine comes before anything is started.
  const external = await externalLiveKit();
  if (!external) await findLiveKitServer();
  await checkPorts(settings, external !== undefined);
  await buildAssets();

  const startedMs = Date.now();
  const onStep = (step: string) => console.log(`Starting ${step} ...`);
  const { ports } = settings;
  const stack = await startStack({ stateFolder, ports, isWatching: true, onStep }, supervisor);
  const agentPage = await serveAgentPage(settings.agentPort, stack.admin.baseUrl);
  supervisor.add('agent page', agentPage.stop);
  console.log(`Everything is up after ${((Date.now() - startedMs) / 1000).toFixed(1)} s.\n`);
  stopWhenPartsDie(stack, supervisor);

  const isGood = await runDemoCall(stack);
  if (isInterrupted) return;
  if (isOnce) {
    await supervisor.stop();
    process.exit(isGood ? 0 : 1);
  }
  printAddresses(settings, stack, agentPage.url);
}

/** Signals this soon after one another, in ms, are one: who stops a process group also reaches us through the launcher. */
const SAME_SIGNAL_MS = 500;

/** First signal: stop in order. Second: at once. */
function stopUponSignals(supervisor: Supervisor): void {
  let interruptedAtMs = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    const code = signal === 'SIGINT' ? 130 : 143;
    if (isInterrupted) {
      if (Date.now() - interruptedAtMs < SAME_SIGNAL_MS) return;
      Supervisor.killAll();
      process.exit(code);
    }
    isInterrupted = true;
    interruptedAtMs = Date.now();
    console.log('\nStopping ... (again to force)');
    void supervisor.stop().then(() => process.exit(code));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
}

/** A stack with a part missing only confuses: stop all of it and show why. */
function stopWhenPartsDie(stack: Stack, supervisor: Supervisor): void {
  for (const child of [stack.livekit.child, stack.worker, stack.relay]) {
    void child?.exited.then(async (how) => {
      if (supervisor.isStopping) return;
      console.error(`\n${child.name} stopped (${how}); its last lines:\n${child.tail()}`);
      console.error(`All of its output: ${child.logPath}`);
      await supervisor.stop();
      process.exit(1);
    });
  }
}

function printAddresses(settings: Settings, stack: Stack, agentUrl: string): void {
  const api = stack.admin.baseUrl;
  console.log(`
Call it yourself: open both pages, press Call on the phone and Answer on the agent's.
  phone      ${stack.simulatorUrl}/phone
  agent      ${agentUrl}#key=${stack.credentials.agent.key}

  API        ${api}/v1   (reference: ${api}/docs)
  admin key  ${stack.secrets.ADMIN_API_KEY}
  simulator  ${stack.simulatorUrl}   (calls ${stack.number.displayPhoneNumber})
  LiveKit    ${stack.livekit.url}
  logs       ${stack.supervisor.logFolder}

Ctrl-C stops everything. Delete ${settings.stateFolder} to start afresh.`);
}

let supervisor: Supervisor | undefined;
try {
  const settings = readSettings();
  supervisor = new Supervisor(join(settings.stateFolder, 'logs'));
  stopUponSignals(supervisor);
  await main(settings, supervisor);
} catch (error) {
  if (!isInterrupted) {
    console.error(error instanceof SetupError ? error.message : error);
    await supervisor?.stop();
    process.exit(1);
  }
}
