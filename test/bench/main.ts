// Runs one benchmark by name: `npm run bench -- calls`.
const BENCHMARKS: Record<string, () => Promise<{ run: (args: string[]) => Promise<object> }>> = {
  ack: () => import('./ack.ts'),
  calls: () => import('./calls.ts'),
  dials: () => import('./dials.ts'),
  faults: () => import('./faults.ts'),
  media: () => import('./media.ts'),
  mixing: () => import('./mixing.ts'),
  routing: () => import('./routing.ts'),
  schedules: () => import('./schedules.ts'),
  setups: () => import('./setups.ts'),
  soak: () => import('./soak.ts'),
};

const [name = '', ...args] = process.argv.slice(2);
const load = BENCHMARKS[name];
if (!load) {
  console.error(`Name one of: ${Object.keys(BENCHMARKS).join(', ')}`);
  process.exit(1);
}
// Ending in order is what ends the processes that a benchmark has started.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
const { run } = await load();
const figures = await run(args);
// The last line is for machines.
console.log(JSON.stringify(figures));
process.exit(0);
