// The relay beside two other ways to bridge phones and rooms, in one run: a Go bridge that passes RTP through, and one on
// LiveKit's Node SDK. Ratios count, absolute figures belong to the machine.
import { startLiveKit } from '../support/livekit-server.ts';
import { startGoBridge, startRelayBridge, startSdkBridge, type Bridge } from './bridge.ts';
import { Load, measureDirect, measureLevel, printLevels, round, type Level } from './levels.ts';
import { percentile, rssMbOf } from './process-usage.ts';

const CALLS = 50;
/** Every bridge takes its turn this many times; the middle of its figures counts. */
const ROUNDS = 3;
/** Added latency is compared here as well, where the machine has time to spare. */
const CALLS_UNHURRIED = 25;
/** More than this the SDK bridge does not carry on one core. */
const CALLS_SDK = 10;

type Starter = {
  readonly name: string;
  readonly start: () => Promise<Bridge> | Bridge;
  readonly calls: readonly number[];
};

const STARTERS: readonly Starter[] = [
  {
    name: 'relay',
    start: () => startRelayBridge('relay', { records: false }),
    calls: [CALLS_UNHURRIED, CALLS],
  },
  { name: 'go', start: startGoBridge, calls: [CALLS_UNHURRIED, CALLS] },
  {
    name: 'recording',
    start: () => startRelayBridge('relay, recording', { records: true }),
    calls: [CALLS],
  },
  { name: 'sdk', start: startSdkBridge, calls: [CALLS_SDK] },
];

/** @param args number of rounds other than the usual one, then names of bridges if not all are to take part */
export async function run([rounds = String(ROUNDS), ...names]: string[]): Promise<object> {
  const starters = STARTERS.filter(({ name }) => names.length === 0 || names.includes(name));
  const livekit = await startLiveKit();
  const load = new Load();
  const levels: Level[] = [];
  const growth: number[] = [];
  try {
    const direct = new Map<number, Awaited<ReturnType<typeof measureDirect>>>();
    for (const calls of [CALLS_SDK, CALLS_UNHURRIED, CALLS])
      direct.set(calls, await measureDirect({ livekit, load }, calls));
    for (let round = 0; round < Number(rounds); round++) {
      for (const { name, start, calls } of starters) {
        // Its figures are so far from the others that one look is enough.
        if (name === 'sdk' && round > 0) continue;
        const bridge = await start();
        const before = rssMbOf(bridge.pid);
        for (const count of calls) {
          const base = direct.get(count);
          if (base) levels.push(await measureLevel({ livekit, load }, bridge, count, base));
        }
        const after = levels.at(-1);
        if (after?.bridge === 'relay') growth.push((after.rss_mb - before) / after.calls);
        await bridge.stop();
      }
    }
  } finally {
    load.process.disconnect();
    await livekit.stop();
  }
  printLevels(levels);
  const figures = (bridge: string, calls: number) =>
    levels.filter((level) => level.bridge === bridge && level.calls === calls);
  const cpu = (bridge: string, calls: number) =>
    percentile(
      figures(bridge, calls).map((level) => level.cpu_per_call),
      0.5,
    );
  const p99 = (bridge: string, calls: number) =>
    percentile(
      figures(bridge, calls).map((level) => level.added_p99_ms),
      0.5,
    );
  const relay = cpu('relay', CALLS);
  const ratios = {
    ratio_go: round(cpu('go', CALLS) / relay),
    ratio_sdk: round(cpu('sdk', CALLS_SDK) / relay),
    ratio_recording: round(cpu('relay, recording', CALLS) / relay),
  };
  const own = levels.filter(({ bridge }) => bridge.startsWith('relay'));
  const result = {
    ...ratios,
    calls_per_core: round(100 / relay),
    lost: own.reduce((sum, level) => sum + level.lost, 0),
    reordered: own.reduce((sum, level) => sum + level.reordered, 0),
    added_p99_ms: {
      relay: { [CALLS_UNHURRIED]: p99('relay', CALLS_UNHURRIED), [CALLS]: p99('relay', CALLS) },
      go: { [CALLS_UNHURRIED]: p99('go', CALLS_UNHURRIED), [CALLS]: p99('go', CALLS) },
    },
    rss_mb_per_call: round(percentile(growth, 0.5)),
    void: levels.some((level) => level.void),
  };
  console.log(
    `\nCalls a core, relay beside: Go bridge ${ratios.ratio_go} times, SDK bridge ${ratios.ratio_sdk} times; recording costs ${ratios.ratio_recording} times the CPU`,
  );
  return { ...result, levels };
}
