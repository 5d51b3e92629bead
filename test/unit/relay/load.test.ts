import { expect, it } from 'vitest';
import { cpuTimes, Load } from '../../../relay/load.ts';

/** A process of two cores whose times a test decides. */
function rig(percentMax = 80) {
  let nowMs = 1_000;
  let used = { process: 0, thread: 0 };
  const changes: boolean[] = [];
  const load = new Load(2, percentMax, {
    clock: { nowMs: () => nowMs, wallMs: () => 0 },
    cpuTimes: () => used,
    liveCalls: () => 40,
    onChange: (isOverloaded) => changes.push(isOverloaded),
  });
  /** A second of 100 ticks. */
  const second = ({ processMs = 0, threadMs = 0, lateTicks = 0, lateMs = 11 }) => {
    used = { process: used.process + processMs, thread: used.thread + threadMs };
    for (let tick = 1; tick <= 100; tick++) {
      nowMs += 10;
      load.tick(tick <= lateTicks ? lateMs : 0.4);
    }
  };
  return { load, changes, second };
}

it.each([
  ['all threads together use 80 % of both cores', { processMs: 1_601 }],
  ['the thread that forwards uses 80 % of one', { processMs: 900, threadMs: 801 }],
  ['two ticks of a hundred are late', { lateTicks: 2 }],
])('is too much when %s', (_name, usage) => {
  const { changes, second } = rig();
  second(usage);
  second(usage);
  expect(changes).toEqual([true]);
});

it.each([
  ['all threads use less of both cores', { processMs: 1_599, threadMs: 799 }],
  ['ticks are a little late', { lateTicks: 100, lateMs: 10 }],
  ['one tick of a hundred is very late', { lateTicks: 1, lateMs: 500 }],
])('is not too much when %s', (_name, usage) => {
  const { changes, second } = rig();
  for (let count = 0; count < 5; count++) second(usage);
  expect(changes).toEqual([]);
});

it('tells when it is over', () => {
  const { load, changes, second } = rig();
  for (let count = 0; count < 2; count++) second({ processMs: 2_000 });
  expect(load.isOverloaded).toBe(true);
  for (let count = 0; count < 5; count++) second({ processMs: 400 });
  expect(changes).toEqual([true, false]);
});

it('counts the time of this thread within that of the process', () => {
  const { process, thread } = cpuTimes();
  expect(thread).toBeGreaterThan(0);
  expect(process).toBeGreaterThanOrEqual(thread);
});
