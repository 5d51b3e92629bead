// Entry of the relay: settings, signals, exit. `--processes auto|N` runs it in several processes, `--check-config` prints the
// settings in force and exits.
import { availableParallelism } from 'node:os';
import { cleanup } from 'node-datachannel';
import { pino } from 'pino';
import { adoptRecordings } from './adapters/recording-disk.ts';
import { parseCommand } from './command-line.ts';
import { configOfProcess, describeConfig, parseConfig } from './config.ts';
import { answerReports } from './process-report.ts';
import { Processes } from './processes.ts';
import { startRelay } from './relay.ts';

function refuse(problems: readonly string[], advice: string): never {
  for (const problem of problems) console.error(problem);
  console.error(`The relay was not started: ${advice}`);
  process.exit(1);
}

const cores = availableParallelism();
const parsedCommand = parseCommand(process.argv.slice(2), cores);
if (!parsedCommand.ok)
  refuse(parsedCommand.problems, 'relay/command-line.ts explains what it takes.');
const { command } = parsedCommand;
const parsed = parseConfig(process.env, command.processes);
if (!parsed.ok) {
  refuse(parsed.problems, 'set the variables above. relay/config.ts explains each.');
}
const config =
  command.process === undefined
    ? parsed.config
    : configOfProcess(parsed.config, command.process, command.processes);
if (command.isCheck) {
  for (const line of describeConfig(config)) console.log(line);
  process.exit(0);
}

const log = pino({ level: config.LOG_LEVEL, base: { relay_id: config.RELAY_ID } });

const failedToStart = (error: unknown): never => {
  log.fatal({ err: error }, 'relay.start-failed');
  process.exit(1);
};

if (command.process === undefined) {
  const { RELAY_RECORDINGS_DIR: root, RELAY_ID: id } = config;
  await adoptRecordings(root, id, command.processes).then(
    (adopted) => adopted > 0 && log.info({ recordings: adopted }, 'recording.adopted'),
    (error: unknown) => log.error({ err: error }, 'recording.adopt-failed'),
  );
}
if (command.processes > 1 && command.process === undefined) await runProcesses();
else await runRelay();

async function runProcesses(): Promise<void> {
  const processes = new Processes(import.meta.filename, command.processes, log);
  await processes.start(config).catch(failedToStart);
  const stopAndExit = (signal: NodeJS.Signals) => {
    void processes.stop(signal).then(() => {
      log.info({}, 'relay.stopped');
      process.exit(0);
    });
  };
  process.on('SIGTERM', stopAndExit);
  process.on('SIGINT', stopAndExit);
}

async function runRelay(): Promise<void> {
  // The process holds many calls: what one of them did not catch must not end the others. It is logged as the bug it is.
  process.on('uncaughtException', (error) => log.error({ err: error }, 'relay.uncaught'));
  process.on('unhandledRejection', (error) => log.error({ err: error }, 'relay.unhandled'));

  const coresEach = Math.max(1, cores / command.processes);
  const relay = await startRelay(config, log, coresEach).catch(failedToStart);
  log.info({ capacity: config.RELAY_CAPACITY }, 'relay.started');

  const drainAndExit = () => {
    void relay.drain().then(() => {
      log.info({}, 'relay.stopped');
      // The library's threads keep the process alive until told to stop.
      cleanup();
      process.exit(0);
    });
  };
  let interrupts = 0;
  process.on('SIGTERM', drainAndExit);
  process.on('SIGINT', () => {
    interrupts += 1;
    if (interrupts > 1) relay.endCalls();
    drainAndExit();
  });
  if (command.process !== undefined) answerReports(relay.report, drainAndExit);
}
