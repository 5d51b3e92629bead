// What a process of the relay tells the one that started it, over the channel that Node puts between them.
import type { MetricObjectWithValues, MetricValue } from 'prom-client';

export type ProcessReport = {
  /** Why no call should be placed on it; `null` when ready. */
  readonly unready: string | null;
  readonly metrics: MetricObjectWithValues<MetricValue<string>>[];
};

/** Asks for a report. */
export type ReportRequest = { readonly ask: number };
export type ReportAnswer = { readonly answer: number; readonly report: ProcessReport };

/** Answers in the process that is asked. `onOrphaned` is called when the one that asks is gone. */
export function answerReports(report: () => Promise<ProcessReport>, onOrphaned: () => void): void {
  process.on('message', ({ ask }: ReportRequest) => {
    void report().then((given) => {
      const answer: ReportAnswer = { answer: ask, report: given };
      process.send?.(answer);
    });
  });
  process.once('disconnect', onOrphaned);
}
