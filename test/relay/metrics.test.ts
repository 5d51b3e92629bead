// What `/metrics` says of a relay that has carried a real call.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePorts } from '../local/ports.ts';
import { Exposition } from '../unit/relay/exposition.ts';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

let rig: Rig;
let url: string;
beforeAll(async () => {
  const port = await freePorts(1);
  rig = await Rig.start({ RELAY_HTTP_PORT: String(port), RELAY_CAPACITY: '7' });
  url = `http://127.0.0.1:${port}/metrics`;
});
afterAll(() => rig.stop());

async function read(): Promise<Exposition> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  return new Exposition(await response.text());
}

/** Reads until a value is at least this; whoever reads has no event to wait for. */
async function readUntil(name: string, atLeast: number): Promise<Exposition> {
  for (;;) {
    const metrics = await read();
    if ((metrics.value(name) ?? 0) >= atLeast) return metrics;
  }
}

it('tells of a call while it lasts, and of its quality afterwards', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  await agent.speak(1_000);
  await rig.worker.event(call.id, 'ready');
  call.phone.startTalking({ kind: 'tone', hz: 440 });
  rig.open(call);
  await until(
    'both voices',
    () => call.phone.heard().packets > 50 && call.phone.said().packets > 50,
  );

  const during = await read();
  expect(during.value('roomline_relay_calls')).toBe(1);
  expect(during.value('roomline_relay_capacity_calls')).toBe(7);
  expect(during.value('roomline_relay_connected')).toBe(1);
  expect(during.value('roomline_relay_draining')).toBe(0);
  expect(during.value('roomline_relay_connects_total')).toBe(1);
  const setUp = 'roomline_relay_call_setup_seconds';
  expect(during.value(`${setUp}_count`, { direction: 'inbound' })).toBe(1);
  expect(during.value(`${setUp}_sum`, { direction: 'inbound' })).toBeGreaterThan(0);
  expect(during.value('roomline_relay_tick_lateness_seconds_count')).toBeGreaterThan(50);

  rig.worker.send({ type: 'call.close', call_id: call.id });
  const { stats } = await rig.worker.event(call.id, 'ended');
  const after = await read();
  expect(after.value('roomline_relay_calls')).toBe(0);
  expect(after.value('roomline_relay_calls_ended_total', { reason: 'closed' })).toBe(1);
  for (const voice of ['from_caller', 'to_caller'] as const) {
    const sum = (name: string) => after.value(`roomline_relay_${name}_sum`, { voice });
    expect(after.value('roomline_relay_packet_loss_ratio_count', { voice })).toBe(1);
    expect(sum('jitter_seconds')).toBeCloseTo((stats?.[voice].jitter_ms ?? NaN) / 1000);
    expect(sum('first_audio_seconds')).toBeCloseTo((stats?.[voice].first_audio_ms ?? NaN) / 1000);
  }
});

it('tells the worker how calls sound while they last, and measures the way of both legs', async () => {
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  await agent.speak(1_000);
  await rig.worker.event(call.id, 'ready');
  call.phone.startTalking({ kind: 'speech' });
  rig.open(call);
  const told = () =>
    rig.worker.frames
      .flatMap((frame) => (frame.type === 'quality' ? frame.calls : []))
      .findLast(({ call_id: id }) => id === call.id)?.stats;
  await until(
    'both receivers have answered a report',
    () => {
      const { from_caller: fromCaller, to_caller: toCaller } = told() ?? {};
      return fromCaller?.receiver?.rtt_ms !== undefined && toCaller?.receiver?.rtt_ms !== undefined;
    },
    20_000,
  );
  const stats = told();
  for (const voice of [stats?.from_caller, stats?.to_caller]) {
    expect(voice?.mos).toBeGreaterThanOrEqual(1);
    expect(voice?.receiver?.packets).toBeGreaterThan(50);
  }
  rig.worker.send({ type: 'call.close', call_id: call.id });
  await rig.worker.event(call.id, 'ended');
});

it('shows what the worker has not acknowledged', async () => {
  rig.worker.acknowledges = false;
  const { id } = await rig.answeredCall();
  expect((await read()).value('roomline_relay_outbox_events')).toBe(1);
  rig.worker.acknowledges = true;
  rig.worker.send({ type: 'call.close', call_id: id });
  await rig.worker.event(id, 'ended');
  for (;;) if ((await read()).value('roomline_relay_outbox_events') === 0) return;
});

it('counts the sockets to the worker', async () => {
  const before = (await read()).value('roomline_relay_connects_total') ?? 0;
  rig.worker.cut();
  const after = await readUntil('roomline_relay_connects_total', before + 1);
  expect(after.value('roomline_relay_connects_total')).toBe(before + 1);
});

it('shows that the event loop stood still', async () => {
  const name = 'roomline_relay_event_loop_delay_seconds';
  const slow = (metrics: Exposition) =>
    (metrics.value(`${name}_count`) ?? 0) - (metrics.value(`${name}_bucket`, { le: '0.25' }) ?? 0);
  const before = await readUntil(`${name}_count`, 1);
  // The relay runs in this process: nothing else happens in it meanwhile.
  const endMs = performance.now() + 400;
  while (performance.now() < endMs);
  const after = await readUntil(`${name}_count`, (before.value(`${name}_count`) ?? 0) + 2);
  expect(slow(after)).toBeGreaterThan(slow(before));
});
