import { expect, it } from 'vitest';
import { frameFromRelay, FRAME_BYTES_MAX, type CallStats } from '../../../relay/protocol.ts';
import { qualityFrames } from '../../../relay/quality-reports.ts';
import { withMos } from '../../../relay/voice-rating.ts';

const voice = { packets: 3_000, lost: 0, jitter_ms: 1, filled: 0 };
const stats = (change: Partial<CallStats> = {}): CallStats => ({
  from_caller: voice,
  to_caller: voice,
  ...change,
});
const receiver = { packets: 3_000, lost: 0, jitter_ms: 1, rtt_ms: 20 };

const scores = (given: CallStats) => {
  const { from_caller: fromCaller, to_caller: toCaller } = withMos(given);
  return { fromCaller: fromCaller.mos, toCaller: toCaller.mos };
};

it('gives a call without loss over a short way the best score that there is', () => {
  expect(scores(stats())).toEqual({ fromCaller: 4.41, toCaller: 4.41 });
});

it('scores each voice by what it lost on both legs', () => {
  const { fromCaller, toCaller } = scores(
    stats({
      from_caller: { ...voice, lost: 158, gaps: 158 },
      to_caller: { ...voice, receiver: { ...receiver, lost: 150 } },
    }),
  );
  // 5 % of independent losses: R = 93.2 - 19.
  expect(fromCaller).toBe(3.79);
  expect(toCaller).toBe(3.79);
});

it('scores both voices by the length of the whole way', () => {
  const { fromCaller, toCaller } = scores(
    stats({
      from_caller: { ...voice, receiver: { ...receiver, rtt_ms: 60 } },
      to_caller: { ...voice, receiver: { ...receiver, rtt_ms: 600 } },
    }),
  );
  expect(fromCaller).toBeLessThan(3.6);
  expect(toCaller).toBe(fromCaller);
});

it('says nothing of less than a second of a voice', () => {
  expect(scores(stats({ from_caller: { ...voice, packets: 49 } })).fromCaller).toBeUndefined();
});

it('takes a receiver that counts more losses than packets for one that misses all', () => {
  const lost = { ...receiver, lost: 9_000 };
  expect(scores(stats({ to_caller: { ...voice, receiver: lost } })).toCaller).toBeLessThan(1.3);
});

it('tells of any number of calls in frames that the protocol takes', () => {
  const full = {
    ...voice,
    first_audio_ms: 123,
    duplicates: 99_999,
    reordered: 99_999,
    late: 99_999,
    gaps: 99_999,
    longest_gap: 99_999,
    receiver: { packets: 999_999, lost: 999_999, jitter_ms: 1_234.56, rtt_ms: 1_234.56 },
  };
  const figures = Array.from({ length: 120 }, (_, index) => ({
    callId: String(index).padEnd(64, 'x'),
    stats: withMos({ from_caller: full, to_caller: full }),
  }));
  const frames = qualityFrames(figures);
  expect(frames.flatMap(({ calls }) => calls.map(({ call_id: id }) => id))).toEqual(
    figures.map(({ callId }) => callId),
  );
  for (const frame of frames) {
    expect(JSON.stringify(frame).length).toBeLessThan(FRAME_BYTES_MAX);
    expect(frameFromRelay.parse(frame)).toEqual(frame);
  }
  expect(qualityFrames([])).toEqual([]);
});
