import { afterEach, expect, it, vi } from 'vitest';
import { Metrics, type RelayState } from '../../../relay/metrics.ts';
import type { Ticker } from '../../../relay/ports.ts';
import { RELAY_END_REASONS, type CallStats } from '../../../relay/protocol.ts';
import { Exposition } from './exposition.ts';

const IDLE: RelayState = {
  calls: 0,
  capacity: 50,
  isDraining: false,
  isOverloaded: false,
  isConnected: false,
  unacknowledged: 0,
  dropped: 0,
};

function rig(state: () => RelayState = () => IDLE) {
  let nowMs = 5_000;
  const metrics = new Metrics({ nowMs: () => nowMs, wallMs: () => 0 }, state);
  return {
    metrics,
    pass: (ms: number) => (nowMs += ms),
    read: async () => new Exposition(await metrics.text()),
  };
}

const direction = {
  packets: 100,
  lost: 0,
  jitter_ms: 4,
  filled: 0,
  mos: 4.37,
  receiver: { packets: 200, lost: 10, jitter_ms: 2, rtt_ms: 80 },
};
const stats = (change: Partial<CallStats> = {}): CallStats => ({
  from_caller: direction,
  to_caller: direction,
  ...change,
});
const ended = (callId: string, more: object = {}) =>
  ({ type: 'ended', call_id: callId, reason: 'closed', ...more }) as const;

afterEach(() => vi.useRealTimers());

it('shows the relay as it is at the moment of reading', async () => {
  let state = IDLE;
  const { read } = rig(() => state);
  const before = await read();
  expect(before.value('roomline_relay_calls')).toBe(0);
  expect(before.value('roomline_relay_connected')).toBe(0);
  state = {
    calls: 3,
    capacity: 50,
    isDraining: true,
    isOverloaded: true,
    isConnected: true,
    unacknowledged: 12,
    dropped: 2,
  };
  const after = await read();
  expect(after.value('roomline_relay_calls')).toBe(3);
  expect(after.value('roomline_relay_capacity_calls')).toBe(50);
  expect(after.value('roomline_relay_draining')).toBe(1);
  expect(after.value('roomline_relay_overloaded')).toBe(1);
  expect(after.value('roomline_relay_connected')).toBe(1);
  expect(after.value('roomline_relay_outbox_events')).toBe(12);
  expect(after.value('roomline_relay_outbox_dropped_events')).toBe(2);
});

it('shows recordings as they are, and what became of them', async () => {
  const { metrics, read } = rig();
  const figures = {
    active: 2,
    waiting: 3,
    writtenBytes: 4_000,
    failed: 5,
    uploaded: 6,
    uploadFailures: 7,
    refused: 8,
  };
  metrics.showRecordings(() => figures);
  // Asked twice, nothing is counted twice.
  await read();
  const shown = await read();
  expect(shown.value('roomline_relay_recordings')).toBe(2);
  expect(shown.value('roomline_relay_recordings_waiting')).toBe(3);
  expect(shown.value('roomline_relay_recorded_bytes_total')).toBe(4_000);
  expect(shown.value('roomline_relay_recordings_failed_total')).toBe(5);
  expect(shown.value('roomline_relay_recordings_uploaded_total')).toBe(6);
  expect(shown.value('roomline_relay_recording_upload_failures_total')).toBe(7);
  expect(shown.value('roomline_relay_recordings_refused_total')).toBe(8);
});

it('names and types every metric as Prometheus wants it, and labels none with an id', async () => {
  const { metrics, read } = rig();
  metrics.taken('c1');
  metrics.reported({ type: 'media-up', call_id: 'c1' });
  metrics.reported(ended('c1', { stats: stats() }));
  const now = await read();
  expect(now.types.size).toBeGreaterThan(10);
  for (const [name, type] of now.types) {
    expect(name).toMatch(/^roomline_relay_[a-z_]+$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_(seconds|ratio|score)$/);
  }
  expect([...now.labelNames()].toSorted()).toEqual(['direction', 'le', 'leg', 'reason', 'voice']);
});

it('counts every reason from zero', async () => {
  const { metrics, read } = rig();
  for (const reason of RELAY_END_REASONS)
    expect((await read()).value('roomline_relay_calls_ended_total', { reason })).toBe(0);
  metrics.reported(ended('c1', { reason: 'media-lost' }));
  metrics.reported(ended('c2', { reason: 'media-lost' }));
  const reason = 'media-lost';
  expect((await read()).value('roomline_relay_calls_ended_total', { reason })).toBe(2);
});

it('measures the set-up from taking the call, each direction by itself', async () => {
  const { metrics, pass, read } = rig();
  metrics.taken('in');
  pass(20);
  metrics.reported({ type: 'answered', call_id: 'in', sdp: 'v=0' });
  pass(180);
  metrics.reported({ type: 'media-up', call_id: 'in' });
  metrics.taken('out');
  metrics.reported({ type: 'offered', call_id: 'out', sdp: 'v=0' });
  pass(3_000);
  metrics.reported({ type: 'media-up', call_id: 'out' });
  const read1 = await read();
  const name = 'roomline_relay_call_setup_seconds';
  expect(read1.value(`${name}_sum`, { direction: 'inbound' })).toBeCloseTo(0.2);
  expect(read1.value(`${name}_count`, { direction: 'inbound' })).toBe(1);
  expect(read1.value(`${name}_bucket`, { direction: 'outbound', le: '2.5' })).toBe(0);
  expect(read1.value(`${name}_bucket`, { direction: 'outbound', le: '5' })).toBe(1);
});

it('forgets a call with its end', async () => {
  const { metrics, read } = rig();
  metrics.taken('c1');
  metrics.reported(ended('c1'));
  metrics.reported({ type: 'media-up', call_id: 'c1' });
  const name = 'roomline_relay_call_setup_seconds_count';
  expect((await read()).value(name, { direction: 'inbound' })).toBeUndefined();
});

it('sums up loss, jitter and first audio of each voice', async () => {
  const { metrics, read } = rig();
  const from_caller = { ...direction, packets: 90, lost: 10, first_audio_ms: 150 };
  metrics.reported(ended('c1', { stats: stats({ from_caller }) }));
  const now = await read();
  const caller = { voice: 'from_caller' };
  expect(now.value('roomline_relay_packet_loss_ratio_sum', caller)).toBeCloseTo(0.1);
  expect(now.value('roomline_relay_jitter_seconds_sum', caller)).toBeCloseTo(0.004);
  expect(now.value('roomline_relay_first_audio_seconds_sum', caller)).toBeCloseTo(0.15);
  const agent = { voice: 'to_caller' };
  expect(now.value('roomline_relay_packet_loss_ratio_bucket', { ...agent, le: '0' })).toBe(1);
  // Nobody said anything that way, which is no first audio after 0 s.
  expect(now.value('roomline_relay_first_audio_seconds_count', agent)).toBeUndefined();
});

it('takes a voice without packets for no measurement', async () => {
  const { metrics, read } = rig();
  const to_caller = { ...direction, packets: 0, jitter_ms: 0 };
  metrics.reported(ended('c1', { stats: stats({ to_caller }) }));
  const now = await read();
  const voice = 'to_caller';
  expect(now.value('roomline_relay_packet_loss_ratio_count', { voice })).toBeUndefined();
  expect(now.value('roomline_relay_jitter_seconds_count', { voice })).toBeUndefined();
});

it('counts rooms that were lost, and those that were found again', async () => {
  const { metrics, read } = rig();
  for (const id of ['c1', 'c2']) {
    metrics.taken(id);
    metrics.reported({ type: 'room-joined', call_id: id });
    metrics.reported({ type: 'room-away', call_id: id });
  }
  metrics.reported({ type: 'room-joined', call_id: 'c1' });
  metrics.reported(ended('c2', { reason: 'room-lost' }));
  const now = await read();
  expect(now.value('roomline_relay_room_losses_total')).toBe(2);
  expect(now.value('roomline_relay_room_rejoins_total')).toBe(1);
});

it('counts prompts that could not be played', async () => {
  const { metrics, read } = rig();
  metrics.reported({ type: 'played', call_id: 'c1', id: 1, completed: true });
  metrics.reported({ type: 'played', call_id: 'c1', id: 2, completed: false });
  expect((await read()).value('roomline_relay_prompts_failed_total')).toBe(1);
});

it('counts how often the worker was greeted', async () => {
  const { metrics, read } = rig();
  metrics.connected();
  metrics.connected();
  expect((await read()).value('roomline_relay_connects_total')).toBe(2);
});

it('measures how late ticks come, once for all members and only while there are any', async () => {
  const { metrics, pass, read } = rig();
  const ticks = new Set<(nowMs: number) => void>();
  const ticker: Ticker = {
    add: (tick) => {
      ticks.add(tick);
      return () => ticks.delete(tick);
    },
  };
  const advance = (ms: number) => {
    const nowMs = pass(ms);
    for (const tick of ticks) tick(nowMs);
  };
  const measured = metrics.measured(ticker);
  const heard: number[] = [];
  const removes = [1, 2].map((member) => measured.add(() => heard.push(member)));
  advance(10);
  advance(35);
  expect(heard).toEqual([1, 2, 1, 2]);
  const name = 'roomline_relay_tick_lateness_seconds';
  const now = await read();
  expect(now.value(`${name}_count`)).toBe(2);
  expect(now.value(`${name}_bucket`, { le: '0.001' })).toBe(1);
  expect(now.value(`${name}_sum`)).toBeCloseTo(0.025);

  removes[0]?.();
  removes[0]?.();
  advance(10);
  expect(heard).toEqual([1, 2, 1, 2, 2]);
  expect((await read()).value(`${name}_count`)).toBe(3);
  removes[1]?.();
  expect(ticks.size).toBe(0);

  // A pause without calls is not a late tick.
  pass(60_000);
  measured.add(() => {});
  advance(10);
  expect((await read()).value(`${name}_sum`)).toBeCloseTo(0.025);
});

it('notes the longest delay of the event loop in each second, and none of another one', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { metrics, pass, read } = rig();
  const late: number[] = [];
  const stop = metrics.watchEventLoop((lateMs) => late.push(lateMs));
  const sample = (ms: number) => {
    pass(ms);
    vi.advanceTimersByTime(10);
  };
  const name = 'roomline_relay_event_loop_delay_seconds';
  sample(50);
  sample(310);
  sample(30);
  expect(late).toEqual([40, 300, 20]);
  expect((await read()).value(`${name}_count`)).toBe(0);
  sample(610);
  expect((await read()).value(`${name}_sum`)).toBeCloseTo(0.6);
  for (let ms = 0; ms < 1_000; ms += 10) sample(10);
  const now = await read();
  expect(now.value(`${name}_count`)).toBe(2);
  expect(now.value(`${name}_sum`)).toBeCloseTo(0.6);
  stop();
  sample(5_000);
  expect((await read()).value(`${name}_count`)).toBe(2);
});

it('tells what receivers say, how long both legs are, and the score of each voice', async () => {
  const { metrics, read } = rig();
  const toCaller = { ...direction, mos: 3.2, receiver: { packets: 50, lost: 60, jitter_ms: 0 } };
  metrics.reported(ended('c1', { stats: stats({ to_caller: toCaller }) }));
  const now = await read();
  const voice = 'from_caller';
  expect(now.value('roomline_relay_mos_score_sum', { voice })).toBeCloseTo(4.37);
  expect(now.value('roomline_relay_mos_score_sum', { voice: 'to_caller' })).toBeCloseTo(3.2);
  const loss = 'roomline_relay_receiver_packet_loss_ratio_sum';
  expect(now.value(loss, { voice })).toBeCloseTo(0.05);
  // A receiver may count more than there was.
  expect(now.value(loss, { voice: 'to_caller' })).toBe(1);
  const roundTrip = 'roomline_relay_round_trip_seconds_count';
  expect(now.value(roundTrip, { leg: 'room' })).toBe(1);
  expect(now.value(roundTrip, { leg: 'provider' })).toBeUndefined();
});
