// What processes and the machine used of the CPU between two moments, from /proc (Linux only).
import { readFileSync } from 'node:fs';

/** Spec: proc(5), times are in clock ticks, which are 1/100 s on every Linux that Node runs on. */
const MS_PER_TICK = 10;

/** CPU time of a process so far, all threads, in ms. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the command in parentheses and may hold anything; the fields after it are plain.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** Memory that a process holds, in MB. */
export function rssMbOf(pid: number): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1024;
}

/** Time of all cores so far, idle and in total, in ms. */
function machineMs(): { idle: number; total: number } {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '';
  const ticks = line.trim().split(/\s+/).slice(1, 9).map(Number);
  const total = ticks.reduce((sum, value) => sum + value, 0);
  return { idle: ((ticks[3] ?? 0) + (ticks[4] ?? 0)) * MS_PER_TICK, total: total * MS_PER_TICK };
}

export type Usage = {
  /** Percent of one core, by name of the process. */
  readonly cores: Readonly<Record<string, number>>;
  /** Percent of the machine that nobody used. */
  readonly idle: number;
};

/** Starts to count; the returned function ends it. */
export function startUsage(pids: Readonly<Record<string, number>>): () => Usage {
  const fromMs = performance.now();
  const machine = machineMs();
  const before = Object.entries(pids).map(([name, pid]) => [name, pid, cpuMsOf(pid)] as const);
  return () => {
    const elapsedMs = performance.now() - fromMs;
    const now = machineMs();
    const cores = before.map(([name, pid, cpuMs]) => [
      name,
      (100 * (cpuMsOf(pid) - cpuMs)) / elapsedMs,
    ]);
    return {
      cores: Object.fromEntries(cores) as Record<string, number>,
      idle: (100 * (now.idle - machine.idle)) / (now.total - machine.total),
    };
  };
}

/** The value below which `share` (0 to 1) of the values lie; NaN for none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
