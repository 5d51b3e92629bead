import { afterEach, describe, expect, it, vi } from 'vitest';
import { Link } from '../../relay/link.ts';
import { CLOSE_REPLACED } from '../../relay/protocol.ts';
import { FakeWorker } from './support/fake-worker.ts';
import { RELAY_SECRET, Rig } from './support/rig.ts';
import { until } from './support/until.ts';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.stop();
  rig = undefined;
});

it('keeps calls running while the worker is away, and tells everything afterwards, once and in order', async () => {
  rig = await Rig.start();
  const { worker } = rig;
  const call = await rig.ringingCall();
  const agent = await rig.agent(call, 'anna');
  await agent.speak(1_000);
  await worker.event(call.id, 'ready');
  rig.open(call);
  call.phone.startTalking();
  await until('media flows', () => call.phone.heard().packets > 50);

  worker.refuseWith = 503;
  worker.cut();
  const before = call.phone.heard().packets;
  await agent.leave();
  await until(
    'a second of audio without the worker',
    () => call.phone.heard().packets > before + 50,
  );
  const seen = worker.events(call.id).length;
  worker.refuseWith = undefined;
  await until('the relay is back', () => worker.hellos().length === 2, 15_000);
  await worker.event(call.id, 'participant-left');

  const [first, second] = worker.hellos();
  expect(second?.instance).toBe(first?.instance);
  expect(second?.calls).toEqual([call.id]);
  const seqs = worker.events().map(({ seq }) => seq);
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
  expect(new Set(seqs).size).toBe(seqs.length);
  expect(worker.events(call.id).length).toBe(seen + 1);
  expect(call.phone.heard()).toMatchObject({ lost: 0, outOfOrder: 0, timestampJumps: [] });
  worker.want(call.id, {});
  worker.send({ type: 'call.close', call_id: call.id });
  expect((await worker.event(call.id, 'ended')).stats?.from_caller.lost).toBe(0);
});

it('sends again what was not acknowledged, on every connection until it is', async () => {
  rig = await Rig.start();
  const { worker } = rig;
  worker.acknowledges = false;
  const call = await rig.answeredCall();
  for (const connection of [2, 3]) {
    worker.cut();
    await until('the relay is back', () => worker.hellos().length === connection);
    await until('the answer again', () => worker.events(call.id).length === connection);
  }
  const events = worker.events(call.id);
  expect(new Set(events.map(({ seq }) => seq)).size).toBe(1);
  worker.acknowledges = true;
  worker.send({ type: 'ack', seq: events[0]?.seq ?? 0 });
  worker.cut();
  await until('the relay is back', () => worker.hellos().length === 4);
  worker.want(call.id, { connect: true });
  await worker.event(call.id, 'media-up');
  expect(worker.events(call.id).filter(({ type }) => type === 'answered')).toHaveLength(3);
});

it('ignores frames that it does not know or that are broken', async () => {
  rig = await Rig.start();
  const { worker } = rig;
  worker.sendText('{"type":"call.teleport","call_id":"x"}');
  worker.sendText('{"type":"call.want"}');
  worker.sendText('not JSON');
  worker.sendText('pong');
  const call = await rig.answeredCall();
  worker.sendText(
    JSON.stringify({ type: 'call.close', call_id: call.id, of_a_newer_version: true }),
  );
  expect(await worker.event(call.id, 'ended')).toMatchObject({ reason: 'closed' });
  expect(worker.hellos()).toHaveLength(1);
});

describe('a link', () => {
  const nothing = () => undefined;
  const pauses: unknown[] = [];
  const warn = (fields: Record<string, unknown>) => pauses.push(fields['redial_ms']);
  const log = { debug: nothing, info: nothing, warn, error: nothing };
  let laterMs = 0;
  const clock = { nowMs: () => performance.now() + laterMs, wallMs: () => Date.now() };
  const state = () => ({ capacity: 1, draining: false, calls: [] });
  const links: Link[] = [];
  let worker: FakeWorker;
  const linkOf = (instance: string, onReplaced: () => void) => {
    const place = { url: worker.url, relayId: 'relay-1', secret: RELAY_SECRET };
    const link = new Link(place, instance, { state, onFrame: nothing, onReplaced }, clock, log);
    links.push(link);
    link.start();
    return link;
  };
  afterEach(async () => {
    vi.useRealTimers();
    for (const link of links.splice(0)) link.stop();
    await worker.stop();
  });

  it('leaves out figures that nobody would read in time, and never an event', async () => {
    worker = await FakeWorker.start(RELAY_SECRET);
    const link = linkOf('only', nothing);
    await until('the welcome', () => link.isConnected);
    const voice = { packets: 1, lost: 0, jitter_ms: 0, filled: 0 };
    const stats = { from_caller: voice, to_caller: voice };
    const calls = Array.from({ length: 50 }, () => ({ call_id: 'c'.repeat(64), stats }));
    // All in one turn, in which the worker reads nothing: 40 MB, of which a socket takes a few.
    const offers = 4_000;
    for (let count = 0; count < offers; count++) link.offer({ type: 'quality', calls });
    link.emit({ type: 'room-joined', call_id: 'c1' });
    await worker.event('c1', 'room-joined');
    const read = worker.frames.filter(({ type }) => type === 'quality').length;
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(offers / 2);
  });

  it('dials at once after a connection that held, and with growing pauses after those that did not', async () => {
    worker = await FakeWorker.start(RELAY_SECRET);
    const link = linkOf('only', nothing);
    pauses.length = 0;
    for (let time = 1; time <= 4; time++) {
      await until('connected', () => link.isConnected);
      if (time === 4) laterMs += 5_000;
      worker.cut();
      await until('the loss', () => pauses.length === time);
    }
    const [first, second, third, held] = pauses;
    expect(first).toBeGreaterThanOrEqual(125);
    expect(second).toBeGreaterThanOrEqual(250);
    expect(third).toBeGreaterThanOrEqual(500);
    expect(held).toBe(0);
  });

  it('forgets an event that the worker refuses, says which it was, and sends all others', async () => {
    worker = await FakeWorker.start(RELAY_SECRET);
    worker.acknowledges = false;
    const link = linkOf('only', nothing);
    await until('connected', () => link.isConnected);
    link.emit({ type: 'media-up', call_id: 'c1' });
    link.emit({ type: 'ended', call_id: 'c1', reason: 'closed' });
    await until('both events', () => worker.events().length === 2);
    const said = vi.spyOn(log, 'error');
    worker.send({ type: 'refused', seq: 1, message: 'path.local: expected string' });
    await until('one event is left', () => link.outbox.size === 1);
    worker.send({ type: 'refused', seq: 1, message: 'once more' });
    worker.cut();
    await until('the rest again', () => worker.events().length === 3);
    expect(worker.events().map(({ seq }) => seq)).toEqual([1, 2, 2]);
    expect(said.mock.calls).toEqual([
      [
        { event: 'media-up', call_id: 'c1', problem: 'path.local: expected string' },
        'link.event-refused',
      ],
    ]);
    const flushed = link.flush(60_000);
    worker.send({ type: 'refused', seq: 2, message: 'reason: expected another' });
    await flushed;
    expect(link.outbox.size).toBe(0);
  });

  it('is told to be replaced only after its welcome: before, it may be itself that has connected again', async () => {
    worker = await FakeWorker.start(RELAY_SECRET);
    worker.closeHelloWith = CLOSE_REPLACED;
    const link = linkOf('old', nothing);
    await until('connected', () => link.isConnected);
    expect(link.isReplaced).toBe(false);
    expect(worker.hellos().map(({ instance }) => instance)).toEqual(['old', 'old']);
  });

  it('never dials again once it is replaced, and waits for no acknowledgement', async () => {
    worker = await FakeWorker.start(RELAY_SECRET);
    const replaced = Promise.withResolvers<void>();
    const old = linkOf('old', replaced.resolve);
    await until('connected', () => old.isConnected);
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    linkOf('new', nothing);
    await replaced.promise;
    expect([old.isReplaced, old.isConnected]).toEqual([true, false]);
    old.emit({ type: 'ended', call_id: 'c1', reason: 'closed' });
    await old.flush(60_000);
    vi.advanceTimersByTime(24 * 60 * 60_000);
    vi.useRealTimers();
    worker.cut();
    await until('the new one is back', () => worker.hellos().length >= 3);
    expect(worker.hellos().map(({ instance }) => instance)).toEqual(['old', 'new', 'new']);
    expect(worker.events()).toEqual([]);
  });
});
