import { expect, it } from 'vitest';
import { ReceiverReports } from '../../../../relay/domain/receiver-reports.ts';

const OWN = 9;

const report = (change: object = {}) => ({
  ssrc: OWN,
  fractionLost: 0,
  cumulativeLost: 0,
  highestSequence: 100,
  jitterTicks: 0,
  lastReport: 0,
  sinceLastReport: 0,
  ...change,
});

function begun(): ReceiverReports {
  const reports = new ReceiverReports();
  reports.begin(OWN);
  return reports;
}

it('knows nothing until the receiver of this stream has said something', () => {
  const reports = begun();
  reports.take(report({ ssrc: 8, cumulativeLost: 5 }), 100, 0);
  expect(reports.figures()).toBeUndefined();
  reports.take(report({ cumulativeLost: 5, jitterTicks: 480 }), 100, 0);
  expect(reports.figures()).toEqual({
    expected: 100,
    lost: 5,
    jitterMs: 10,
    roundTripMs: undefined,
  });
});

it('takes the time that a report of ours was held for no part of the way', () => {
  const reports = begun();
  reports.sent(0xaaaa, 1_000);
  reports.sent(0xbbbb, 6_000);
  reports.take(report({ lastReport: 0xaaaa, sinceLastReport: 65_536 * 2 }), 100, 3_080);
  expect(reports.figures()?.roundTripMs).toBeCloseTo(80);
  reports.take(report({ lastReport: 0xbbbb, sinceLastReport: 65_536 / 2 }), 200, 6_540);
  expect(reports.figures()?.roundTripMs).toBeCloseTo(60);
});

it.each([
  ['names a report that was never sent', { lastReport: 0xdead, sinceLastReport: 0 }],
  ['was held for longer than it is', { lastReport: 0xaaaa, sinceLastReport: 65_536 * 60 }],
  ['comes after half a minute', { lastReport: 0xaaaa, sinceLastReport: 0 }, 40_000],
])('measures nothing by an answer that %s', (_name, change, atMs = 1_100) => {
  const reports = begun();
  reports.sent(0xaaaa, 1_000);
  reports.take(report(change), 100, atMs);
  expect(reports.figures()?.roundTripMs).toBeUndefined();
});

it('adds up the streams of a call that was away from its room', () => {
  const reports = begun();
  reports.take(report({ cumulativeLost: 3 }), 100, 0);
  reports.begin(10);
  reports.take(report({ ssrc: 10, cumulativeLost: 1 }), 50, 0);
  expect(reports.figures()).toMatchObject({ expected: 150, lost: 4 });
});

it('takes more that came twice than was lost for no loss', () => {
  const reports = begun();
  reports.take(report({ cumulativeLost: -7 }), 100, 0);
  expect(reports.figures()?.lost).toBe(0);
});
