// Entry of the relay: settings, signals, exit. `--check-config` prints the settings in force and exits.
import { cleanup } from 'node-datachannel';
import { pino } from 'pino';
import { describeConfig, parseConfig } from './config.ts';
import { startRelay } from './relay.ts';

const parsed = parseConfig(process.env);
if (!parsed.ok) {
  for (const problem of parsed.problems) console.error(problem);
  console.error(
    'The relay was not started: set the variables above. relay/config.ts explains each.',
  );
  process.exit(1);
}
const { config } = parsed;
if (process.argv.includes('--check-config')) {
  for (const line of describeConfig(config)) console.log(line);
  process.exit(0);
}

const log = pino({ level: config.LOG_LEVEL, base: { relay_id: config.RELAY_ID } });

// The process holds many calls: what one of them did not catch must not end the others. It is logged as the bug it is.
process.on('uncaughtException', (error) => log.error({ err: error }, 'relay.uncaught'));
process.on('unhandledRejection', (error) => log.error({ err: error }, 'relay.unhandled'));

const relay = await startRelay(config, log).catch((error: unknown) => {
  log.fatal({ err: error }, 'relay.start-failed');
  process.exit(1);
});
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
