// Several processes of one relay on one machine: starts them, starts again what dies, and speaks for all of them on one port. It
// holds no call and knows nothing of them; each process has a place of its own at the worker.
import { fork, type ChildProcess } from 'node:child_process';
import { AggregatorRegistry, Counter, Registry } from 'prom-client';
import type { Config } from './config.ts';
import { restartAfter } from './domain/restart.ts';
import { serveHealth } from './health.ts';
import type { Log } from './ports.ts';
import type { ProcessReport, ReportAnswer } from './process-report.ts';

/** A process that takes longer to answer stands still; its figures are left out. */
const REPORT_MS_MAX = 1_000;

export class Processes {
  readonly #members: readonly Member[];
  readonly #registry = new Registry();
  readonly #starts = new Counter({
    name: 'roomline_relay_process_starts_total',
    help: 'How often a process was started; all but the first are restarts',
    labelNames: ['process'],
    registers: [this.#registry],
  });
  #isStopping = false;
  #stopHealth: () => void = () => undefined;

  /** @param script what each process runs, as `script --processes COUNT --process NUMBER` */
  constructor(script: string, count: number, log: Log) {
    this.#members = Array.from({ length: count }, (_, index) => {
      const number = index + 1;
      const start = () => {
        this.#starts.inc({ process: number });
        const args = ['--processes', String(count), '--process', String(number)];
        // In a group of its own: an interrupt from the terminal comes through us, and once.
        return fork(script, args, { detached: true });
      };
      return new Member(number, start, log);
    });
  }

  /** @param config where the health of all is served */
  async start({ RELAY_HTTP_PORT: port, RELAY_HTTP_ADDRESS: address }: Config): Promise<void> {
    for (const member of this.#members) member.start();
    if (port === undefined) return;
    this.#stopHealth = await serveHealth({ port, address }, this);
  }

  /** Passes a signal on and starts nothing any more; resolves when all processes are gone. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#members.map((member) => member.stop(signal)));
    this.#stopHealth();
  }

  /** Ready while one of them is. */
  async unready(): Promise<string | undefined> {
    if (this.#isStopping) return 'draining';
    const reports = await this.#reports();
    if (reports.some((report) => report?.unready === null)) return undefined;
    return reports
      .map((report, index) => `${index + 1}: ${report ? report.unready : 'does not answer'}`)
      .join('; ');
  }

  /** The metrics of each with the label `process`. */
  async metricsText(): Promise<string> {
    const reports = await this.#reports();
    const labelled = reports.map((report, index) =>
      (report?.metrics ?? []).map((metric) => ({
        ...metric,
        values: metric.values.map((value) => ({
          ...value,
          labels: { ...value.labels, process: index + 1 },
        })),
      })),
    );
    const own = await this.#registry.getMetricsAsJSON();
    return await AggregatorRegistry.aggregate([...labelled, own]).metrics();
  }

  #reports(): Promise<(ProcessReport | undefined)[]> {
    return Promise.all(this.#members.map((member) => member.report()));
  }
}

/** One process and its successors. */
class Member {
  readonly #number: number;
  readonly #fork: () => ChildProcess;
  readonly #log: Log;
  readonly #waiting = new Map<number, (report: ProcessReport | undefined) => void>();
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #deaths = 0;
  #asked = 0;
  #isStopping = false;

  constructor(number: number, start: () => ChildProcess, log: Log) {
    this.#number = number;
    this.#fork = start;
    this.#log = log;
  }

  start(): void {
    const child = this.#fork();
    this.#child = child;
    const startedAtMs = performance.now();
    this.#log.info({ process: this.#number, pid: child.pid }, 'relay.process-started');
    child.on('message', ({ answer, report }: ReportAnswer) => this.#waiting.get(answer)?.(report));
    child.on('error', (error) => this.#log.error({ err: error }, 'relay.process-failed'));
    child.once('close', (code, signal) => {
      this.#child = undefined;
      this.#closed(performance.now() - startedAtMs, { code, signal });
    });
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (!child) return;
    child.kill(signal);
    await new Promise((resolve) => child.once('close', resolve));
  }

  /** What the process says of itself; `undefined` while there is none that answers. */
  async report(): Promise<ProcessReport | undefined> {
    const child = this.#child;
    if (!child?.connected) return undefined;
    const ask = (this.#asked += 1);
    const report = await new Promise<ProcessReport | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), REPORT_MS_MAX);
      this.#waiting.set(ask, (given) => {
        clearTimeout(timer);
        resolve(given);
      });
      child.send({ ask });
    });
    this.#waiting.delete(ask);
    return report;
  }

  #closed(ranMs: number, how: { code: number | null; signal: string | null }): void {
    if (this.#isStopping) return;
    const { pauseMs, deaths } = restartAfter(ranMs, this.#deaths);
    this.#deaths = deaths;
    const fields = { process: this.#number, ...how, restart_ms: pauseMs };
    this.#log.error(fields, 'relay.process-died');
    this.#restart = setTimeout(() => this.start(), pauseMs);
  }
}
