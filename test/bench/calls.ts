// What a call costs the relay and how much time it adds: N two-way calls through the real relay process and a real
// livekit-server, against the same load without a relay in between.
import { startLiveKit } from '../support/livekit-server.ts';
import { startRelayBridge } from './bridge.ts';
import { Load, measureDirect, measureLevel, printLevels, round, type Level } from './levels.ts';
import { percentile } from './process-usage.ts';
import { measureSetUps, type SetUps } from './set-ups.ts';

const LEVELS = [1, 10, 25, 50];

/** @param args levels other than the usual ones, such as `1 50` */
export async function run(args: string[]): Promise<object> {
  const counts = args.length > 0 ? args.map(Number) : LEVELS;
  const livekit = await startLiveKit();
  const relay = await startRelayBridge('relay', { records: false });
  const load = new Load();
  const levels: Level[] = [];
  try {
    for (const calls of counts) {
      const direct = await measureDirect({ livekit, load }, calls);
      levels.push(await measureLevel({ livekit, load }, relay, calls, direct));
    }
  } finally {
    load.process.disconnect();
    await relay.stop();
    await livekit.stop();
  }
  printLevels(levels);
  const setUps = await measureSetUps();
  printSetUps(setUps);
  const top = levels.at(-1);
  return {
    calls_per_core: round(100 / (top?.cpu_per_call ?? NaN)),
    lost: levels.reduce((sum, { lost }) => sum + lost, 0),
    added_p99_ms: top?.added_p99_ms,
    void: levels.some((level) => level.void),
    levels,
    set_ups: setUps,
  };
}

function printSetUps({
  webhook_to_pre_accept_ms,
  claim_to_heard_ms,
  published_to_heard_ms,
  calls,
}: SetUps): void {
  const line = (values: readonly number[]) =>
    [0.5, 0.95]
      .map((share) => `p${share * 100} ${Math.round(percentile(values, share))} ms`)
      .join(', ');
  console.log(`\n${calls} calls through the whole stack, one after the other:`);
  console.log(`  webhook sent -> pre_accept received     ${line(webhook_to_pre_accept_ms)}`);
  console.log(`  claim -> caller hears the agent         ${line(claim_to_heard_ms)}`);
  console.log(`  microphone published -> caller hears it ${line(published_to_heard_ms)}`);
}
