// Child processes with a log file each, started in order and stopped in reverse. Nothing outlives the supervisor.
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { waitUntil } from './ports.ts';

/** Niceness of children that can wait. */
const PATIENT = 10;

export type ChildSpec = {
  /** Names the log file and appears in messages. */
  name: string;
  command: string;
  args: readonly string[];
  /** Added to this process's environment; undefined removes a variable. */
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  /** For programs that finish their work upon the first signal and stop upon the second: ms until the second. */
  secondSignalAfterMs?: number;
  /** What asks it to stop. Default SIGTERM. */
  stopSignal?: NodeJS.Signals;
  /** It carries no media, so whatever does goes first when the machine is busy. */
  isPatient?: boolean;
};

/** One running child. */
export type Child = {
  readonly name: string;
  readonly pid: number;
  readonly logPath: string;
  readonly process: ChildProcess;
  /** One signal only makes it wait for its work to end. */
  readonly needsTwoSignals: boolean;
  /** Resolves when it has gone, with its code or the signal that ended it. */
  readonly exited: Promise<string>;
  readonly isRunning: () => boolean;
  /** The last lines that it wrote. */
  readonly tail: () => string;
  /** Asks it to stop, then insists. Harmless when it has stopped already. */
  readonly stop: () => Promise<void>;
  /** Ends it at once, as a crash would. Do not use it on the worker: its runtime would be left behind. */
  readonly kill: () => Promise<void>;
};

/** How long a child may take to stop in order, in ms, before it is killed. */
const STOP_MS_MAX = 10_000;
const TAIL_LINES = 25;

const running = new Set<Child>();
// A last resort for an exit that went past `stop`, such as an uncaught error: nothing asynchronous can run any more.
process.on('exit', () => {
  for (const { process, needsTwoSignals } of running) {
    signalGroup(process, needsTwoSignals ? 'SIGKILL' : 'SIGTERM');
  }
});

/** Signals the child and whatever it has started: each child leads a process group of its own. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: it went by itself in the meantime, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Starts one child, with its output in `<logFolder>/<name>.log`.
 *
 * It gets a process group of its own, so that Ctrl-C in the terminal reaches only us and we decide the order of stopping.
 *
 * @throws Error when the command cannot be started
 */
export async function startChild(spec: ChildSpec, logFolder: string): Promise<Child> {
  mkdirSync(logFolder, { recursive: true });
  const logPath = join(logFolder, `${spec.name}.log`);
  const log = createWriteStream(logPath, { flags: 'w' });
  const env = Object.fromEntries(
    Object.entries({ ...process.env, ...spec.env }).filter(([, value]) => value !== undefined),
  );
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env,
    detached: process.platform !== 'win32',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // At once, so that its threads and children inherit it.
  if (spec.isPatient && child.pid !== undefined) setPriority(child.pid, PATIENT);
  const lastLines: string[] = [];
  const exited = new Promise<string>((resolve) => {
    child.once('close', (code, signal) => {
      log.end();
      resolve(signal ?? `code ${code}`);
    });
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.write(`${new Date().toISOString()} ${spec.name} | ${line}\n`);
      lastLines.push(line);
      if (lastLines.length > TAIL_LINES) lastLines.shift();
    });
  }
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => {
      reject(new Error(`${spec.name}: ${spec.command} cannot be started`, { cause: error }));
    });
  });
  return handle(spec, child, logPath, exited, () => lastLines.join('\n'));
}

function handle(
  spec: ChildSpec,
  process: ChildProcess,
  logPath: string,
  exited: Promise<string>,
  tail: () => string,
): Child {
  const { name, secondSignalAfterMs } = spec;
  const endWith = async (signal: NodeJS.Signals): Promise<void> => {
    signalGroup(process, signal);
    if (secondSignalAfterMs !== undefined) {
      await Promise.race([exited, delay(secondSignalAfterMs, undefined, { ref: false })]);
      signalGroup(process, signal);
    }
    const graceful = await Promise.race([
      exited.then(() => true),
      delay(STOP_MS_MAX, false, { ref: false }),
    ]);
    if (!graceful) signalGroup(process, 'SIGKILL');
    await exited;
  };
  const child: Child = {
    name,
    pid: process.pid ?? -1,
    logPath,
    process,
    needsTwoSignals: secondSignalAfterMs !== undefined,
    exited,
    isRunning: () => running.has(child),
    tail,
    stop: () => endWith(spec.stopSignal ?? 'SIGTERM'),
    kill: () => endWith('SIGKILL'),
  };
  running.add(child);
  void exited.then(() => running.delete(child));
  return child;
}

/** An error that shows what the child said last. */
export const childError = (child: Child, what: string): Error =>
  new Error(`${child.name} ${what}; its last lines (all in ${child.logPath}):\n${child.tail()}`);

/**
 * Waits until a URL of a child answers with a 2xx status.
 *
 * @throws Error with the child's last lines when it exits before that, or takes longer than `timeoutMs`
 */
export async function waitForHttp(child: Child, url: string, timeoutMs: number): Promise<void> {
  const answers = async (): Promise<boolean> => {
    if (!child.isRunning()) throw childError(child, `stopped (${await child.exited})`);
    try {
      return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
    } catch {
      return false;
    }
  };
  await waitUntil(url, timeoutMs, answers).catch((error: unknown) => {
    if (!child.isRunning()) throw error;
    throw childError(child, `did not become ready at ${url} within ${timeoutMs / 1000} s`);
  });
}

/** Things to stop, in reverse order of their start. Stopping twice is harmless. */
export class Supervisor {
  readonly logFolder: string;
  #stops: { name: string; stop: () => Promise<void> }[] = [];
  #isStopping = false;

  constructor(logFolder: string) {
    this.logFolder = logFolder;
  }

  /** Starts a child that stops with the others. */
  async start(spec: ChildSpec): Promise<Child> {
    const refusal = `${spec.name} not started: everything is being stopped`;
    if (this.#isStopping) throw new Error(refusal);
    const child = await startChild(spec, this.logFolder);
    // `stop` may have been called, and have found nothing, while the child was being started.
    if (this.#isStopping) {
      await child.stop();
      throw new Error(refusal);
    }
    this.add(spec.name, () => child.stop());
    return child;
  }

  /** Adds something else that has to be stopped, such as a server in this process. */
  add(name: string, stop: () => Promise<void>): void {
    this.#stops.push({ name, stop });
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Stops everything; what fails to stop is reported and does not keep the rest from stopping. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (let item = this.#stops.pop(); item; item = this.#stops.pop()) {
      await item.stop().catch((error: unknown) => {
        console.error(`${item?.name ?? ''} did not stop in order:`, error);
      });
    }
  }

  /** Kills every child at once: for the impatient second Ctrl-C. */
  static killAll(): void {
    for (const child of running) signalGroup(child.process, 'SIGKILL');
  }
}
