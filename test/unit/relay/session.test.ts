import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Registry } from '../../../relay/registry.ts';
import { joined, wireAnswer } from './domain/offers.ts';
import { AGENTS_ONLY, offer, openCall, place, rig, RTP, want } from './session-rig.ts';

const answer = joined(wireAnswer());

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A call that we place, with its media up; the phone rings. */
async function ringingOutside() {
  const call = rig();
  await call.session.offer();
  call.session.want(want(1));
  call.session.applyAnswer(answer);
  call.leg().onUp(undefined);
  return call;
}

const RTCP = Uint8Array.from([0x80, 201, 0, 1, 0, 0, 0, 9]);

describe('time limits', () => {
  it('fails a call whose media does not connect within 20 s of being told to', async () => {
    const call = rig();
    await call.session.answer(offer);
    vi.advanceTimersByTime(60_000);
    call.session.want(want(1, { connect: true }));
    vi.advanceTimersByTime(19_999);
    expect(call.ends()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(call.ends()).toMatchObject([{ reason: 'media-failed' }]);
  });

  it.each([
    ['RTP', RTP],
    ['RTCP', RTCP],
  ])(
    'loses an open call after 30 s without media, counted from the last %s',
    async (_name, bytes) => {
      const call = await openCall();
      vi.advanceTimersByTime(29_000);
      call.leg().onPacket(bytes.slice());
      vi.advanceTimersByTime(29_900);
      expect(call.ends()).toEqual([]);
      vi.advanceTimersByTime(200);
      expect(call.ends()).toMatchObject([
        { reason: 'media-lost', stats: { to_caller: { packets: 0 } } },
      ]);
    },
  );

  it('does not count silence before the path is open: the user has not been answered yet', async () => {
    const call = rig();
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true }));
    call.leg().onUp(undefined);
    vi.advanceTimersByTime(45_000);
    expect(call.ends()).toEqual([]);
    call.session.close('closed');
  });
});

describe('order', () => {
  it('opens when the media comes up after it was told to open', async () => {
    const call = rig();
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, open: true }));
    vi.advanceTimersByTime(200);
    expect(call.toProvider).toEqual([]);
    call.leg().onUp(undefined);
    vi.advanceTimersByTime(200);
    expect(call.toProvider.length).toBeGreaterThan(5);
    call.session.close('closed');
  });

  it('does what was wanted while the answer was still being prepared', async () => {
    const call = rig();
    const answering = call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place }));
    await answering;
    expect(call.calls).toEqual(['connect', 'join']);
    expect(call.types()).toEqual(['answered']);
    call.session.close('closed');
  });

  it('tells the room that the call is active when the room comes after the opening', async () => {
    const call = rig();
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, open: true, room: place }));
    call.leg().onUp(undefined);
    expect(call.calls).not.toContain('status active');
    call.room().onJoined();
    expect(call.calls).toContain('status active');
    call.session.close('closed');
  });

  it('joins once, and passes a changed audience on', async () => {
    const call = rig();
    await call.session.answer(offer);
    call.session.want(want(1, { room: place }));
    call.session.want(want(2, { room: place, audience: { ...AGENTS_ONLY, named: ['bea'] } }));
    call.session.want(want(1, { room: place, audience: { ...AGENTS_ONLY, named: ['old'] } }));
    expect(call.calls).toEqual(['join', 'audience bea']);
    expect(call.revs).toEqual([1, 2, 2]);
    call.session.close('closed');
  });
});

describe('voice', () => {
  it('sends the room silence before the opening and the caller after it, never the other way round', async () => {
    const call = rig();
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place }));
    call.leg().onUp(undefined);
    call.room().onJoined();
    call.room().onCallerHeard();
    call.leg().onPacket(RTP.slice());
    vi.advanceTimersByTime(500);
    expect(call.toRoom.length).toBeGreaterThan(20);
    expect(
      new Set(call.toRoom.map((packet) => Buffer.from(packet.subarray(20)).toString('hex'))),
    ).toEqual(new Set(['f8fffe']));
    expect(call.toProvider).toEqual([]);
    call.session.want(want(2, { open: true }));
    call.leg().onPacket(RTP.slice());
    expect(Buffer.from(call.toRoom.at(-1)?.subarray(20) ?? []).toString('hex')).toBe(
      `b8${'01'.repeat(30)}`,
    );
    call.session.close('closed');
  });

  it('reports by RTCP about its stream and the caller’s', async () => {
    const call = await openCall();
    call.leg().onPacket(RTP.slice());
    vi.advanceTimersByTime(3_000);
    const reports = call.toProvider.filter((packet) => packet[1] === 200);
    expect(reports).toHaveLength(1);
    expect((reports[0]?.[0] ?? 0) & 0x1f).toBe(1);
    call.session.close('closed');
  });
});

describe('a call that we place', () => {
  it('connects with the answer, whatever is wanted, and takes only the first one', async () => {
    const call = rig();
    await call.session.offer();
    call.session.want(want(1, { connect: true }));
    expect(call.calls).toEqual([]);
    call.session.applyAnswer(answer);
    call.session.applyAnswer(answer);
    call.session.applyAnswer('v=0\r\n');
    expect(call.calls).toEqual(['answer passive', 'connect']);
    expect(call.types()).toEqual(['offered']);
    call.session.close('closed');
  });

  it('reports the same offer whenever it is asked for', async () => {
    const { deps, events, calls } = rig();
    const registry = new Registry(5, deps);
    registry.handle({ type: 'call.offer', call_id: 'c1' });
    registry.handle({ type: 'call.offer', call_id: 'c1' });
    await vi.advanceTimersByTimeAsync(0);
    registry.handle({ type: 'call.apply-answer', call_id: 'c1', sdp: answer });
    registry.handle({ type: 'call.offer', call_id: 'c1' });
    registry.handle({ type: 'call.apply-answer', call_id: 'c1', sdp: answer });
    expect(events).toMatchObject([
      { type: 'offered', sdp: 'the offer' },
      { type: 'offered', sdp: 'the offer' },
    ]);
    expect(calls).toEqual(['answer passive', 'connect']);
    registry.closeAll('the test is over');
  });

  it.each([
    ['that cannot be read', joined(wireAnswer('holdconn')), 'line 16: setup is none of'],
    ['that is empty', '\r\n', 'empty SDP'],
  ])('ends with an answer %s', async (_name, sdp, detail) => {
    const call = rig();
    await call.session.offer();
    call.session.applyAnswer(sdp);
    expect(call.ends()).toMatchObject([
      { reason: 'unusable-answer', detail: expect.stringContaining(detail) },
    ]);
    expect(call.calls).toEqual(['leg.close']);
  });

  it('ends with an answer that the library refuses, and with one to no offer', async () => {
    const base = rig();
    const refused = rig({
      offerLeg: async (...args) => ({
        ...(await base.deps.offerLeg(...args)),
        setAnswer: () => {
          throw new Error('no');
        },
      }),
    });
    await refused.session.offer();
    refused.session.applyAnswer(answer);
    expect(refused.ends()).toMatchObject([{ reason: 'unusable-answer' }]);
    const early = rig();
    const offering = early.session.offer();
    early.session.applyAnswer(answer);
    await offering;
    expect(early.ends()).toMatchObject([{ reason: 'unusable-answer' }]);
    expect(early.calls).toEqual(['leg.close']);
  });

  it('ignores an answer for a call that came to us, and reports an unknown one as ended', async () => {
    const { deps, events } = rig();
    const registry = new Registry(5, deps);
    registry.handle({ type: 'call.answer', call_id: 'c1', sdp: offer });
    await vi.advanceTimersByTimeAsync(0);
    registry.handle(want(1, { connect: true }));
    registry.handle({ type: 'call.apply-answer', call_id: 'c1', sdp: answer });
    registry.handle({ type: 'call.apply-answer', call_id: 'c2', sdp: answer });
    expect(events).toMatchObject([
      { type: 'answered' },
      { type: 'ended', call_id: 'c2', reason: 'internal' },
    ]);
    registry.closeAll('the test is over');
  });

  it('fails when media is not connected 20 s after the answer', async () => {
    const call = rig();
    await call.session.offer();
    vi.advanceTimersByTime(50_000);
    call.session.applyAnswer(answer);
    vi.advanceTimersByTime(19_999);
    expect(call.ends()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(call.ends()).toMatchObject([{ reason: 'media-failed' }]);
  });

  it('may ring for a minute in silence, sends nothing, and ends 30 s after a pick-up without media', async () => {
    const call = await ringingOutside();
    vi.advanceTimersByTime(60_000);
    expect(call.toProvider).toEqual([]);
    expect(call.calls).not.toContain('join');
    call.session.want(want(2, { open: true, room: place }));
    vi.advanceTimersByTime(29_900);
    expect(call.ends()).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(call.ends()).toMatchObject([{ reason: 'media-lost' }]);
  });

  /** Talks 20 ms frames that say their number, for `ms`. */
  const talk = (call: Awaited<ReturnType<typeof ringingOutside>>, from: number, ms: number) => {
    for (let n = 0; n < ms / 20; n++) {
      const packet = RTP.slice();
      const number = from + n;
      [packet[2], packet[3], packet[20]] = [number >> 8, number & 0xff, number & 0xff];
      call.leg().onPacket(packet);
      vi.advanceTimersByTime(20);
    }
    return from + ms / 20;
  };
  const words = (call: Awaited<ReturnType<typeof ringingOutside>>) =>
    call.toRoom.filter((packet) => packet.length > 40).map((packet) => packet[28]);

  it('plays what was said around the pick-up, once somebody in the room receives it', async () => {
    const call = await ringingOutside();
    let next = talk(call, 0, 200);
    call.session.want(want(2, { open: true, room: place }));
    next = talk(call, next, 160);
    call.room().onJoined();
    next = talk(call, next, 120);
    expect(words(call)).toEqual([]);
    expect(call.toRoom.length).toBeGreaterThan(3);
    call.room().onCallerHeard();
    next = talk(call, next, 1_000);
    expect(words(call)).toEqual(Array.from({ length: next }, (_, n) => n));
    call.session.close('closed');
    expect(call.ends()).toMatchObject([{ stats: { from_caller: { filled: 0, lost: 0 } } }]);
  });

  it('keeps every word for somebody who comes seconds later', async () => {
    const call = await ringingOutside();
    let next = talk(call, 0, 400);
    call.session.want(want(2, { open: true, room: place }));
    next = talk(call, next, 1_000);
    call.room().onJoined();
    next = talk(call, next, 3_000);
    expect(words(call)).toEqual([]);
    call.room().onCallerHeard();
    // One word after the other for half a minute: nothing in it may be left out.
    next = talk(call, next, 30_000);
    vi.advanceTimersByTime(3_000);
    expect(words(call)).toEqual(Array.from({ length: next }, (_, n) => n & 0xff));
    call.session.close('closed');
    expect(call.ends()).toMatchObject([{ stats: { from_caller: { lost: 0, late: 0 } } }]);
  });

  it('keeps no more than the last second before the pick-up', async () => {
    const call = await ringingOutside();
    let next = talk(call, 0, 4_000);
    call.session.want(want(2, { open: true, room: place }));
    call.room().onJoined();
    call.room().onCallerHeard();
    next = talk(call, next, 2_000);
    expect(words(call)).toHaveLength(1 + 49 + 100);
    call.session.close('closed');
  });

  it('does not hold it back for longer than ten seconds when nobody does', async () => {
    const call = await ringingOutside();
    call.session.want(want(2, { open: true, room: place }));
    call.room().onJoined();
    const next = talk(call, 0, 9_980);
    expect(words(call)).toEqual([]);
    talk(call, next, 1_000);
    expect(words(call).length).toBeGreaterThan(50);
    call.session.close('closed');
  });
});

describe('the end', () => {
  it('is reported once, with the first reason, whoever else ends it', async () => {
    const call = await openCall();
    call.room().onEnded({ why: 'room-deleted', detail: 'ROOM_DELETED' });
    call.leg().onLost('closed');
    call.session.close('closed');
    call.session.want(want(9, { open: true }));
    await call.session.closed;
    expect(call.ends()).toMatchObject([{ reason: 'room-deleted' }]);
    const sent = call.toProvider.length;
    vi.advanceTimersByTime(60_000);
    call.leg().onPacket(RTP.slice());
    expect(call.toProvider).toHaveLength(sent);
    expect(call.calls.at(-1)).toBe('leg.close');
    expect(call.calls).not.toContain('leave');
  });

  it('waits for nobody: a room that cannot be left is logged and forgotten', async () => {
    const warnings: string[] = [];
    const base = rig();
    const call = rig({
      joinRoom: (...args) => ({
        ...base.deps.joinRoom(...args),
        leave: () => Promise.reject(new Error('stuck')),
      }),
      log: { ...base.deps.log, warn: (_fields, event) => warnings.push(event) },
    });
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place }));
    call.session.close('closed');
    await call.session.closed;
    expect(call.ends()).toHaveLength(1);
    expect(warnings).toEqual(['call.leave-failed']);
  });

  it('reports the end after a join that was under way, which would make the room anew', async () => {
    const base = rig();
    const joining = Promise.withResolvers<void>();
    const call = rig({
      joinRoom: (...args) => ({ ...base.deps.joinRoom(...args), leave: () => joining.promise }),
    });
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place }));
    call.session.close('closed');
    await vi.advanceTimersByTimeAsync(0);
    expect(call.ends()).toEqual([]);
    joining.resolve();
    await call.session.closed;
    expect(call.ends()).toMatchObject([{ reason: 'closed' }]);
  });

  it('says that no port or address could be had', async () => {
    const call = rig({ openLeg: () => Promise.reject(new Error('no ports')) });
    await call.session.answer(offer);
    expect(call.ends()).toMatchObject([{ reason: 'media-failed' }]);
  });

  it('closes a leg that was ready only after the end', async () => {
    const call = rig();
    const answering = call.session.answer(offer);
    call.session.close('closed');
    await answering;
    expect(call.calls).toEqual(['leg.close']);
    expect(call.types()).toEqual(['ended']);
  });
});

describe('the registry', () => {
  it('does not bring an ended call back to life', async () => {
    const { deps, events, calls } = rig();
    const registry = new Registry(5, deps);
    registry.handle({ type: 'call.answer', call_id: 'c1', sdp: offer });
    await vi.advanceTimersByTimeAsync(0);
    registry.handle({ type: 'call.close', call_id: 'c1' });
    registry.handle({ type: 'call.answer', call_id: 'c1', sdp: offer });
    registry.handle(want(5, { connect: true }));
    registry.handle({ type: 'call.close', call_id: 'c1' });
    await vi.advanceTimersByTimeAsync(0);
    expect(events.map(({ type }) => type)).toEqual(['answered', 'ended']);
    expect(calls).toEqual(['leg.close']);
    expect(registry.liveCalls()).toEqual([]);
  });

  it('is drained once the last call is down', async () => {
    const { deps } = rig();
    const registry = new Registry(5, deps);
    registry.handle({ type: 'call.answer', call_id: 'c1', sdp: offer });
    await vi.advanceTimersByTimeAsync(0);
    let isDrained = false;
    void registry.drain().then(() => (isDrained = true));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(isDrained).toBe(false);
    registry.closeAll('the test is over');
    await vi.advanceTimersByTimeAsync(0);
    expect(isDrained).toBe(true);
  });
});

it.each([
  [true, 'handshake not done within 20 s'],
  [false, 'not connected within 20 s'],
])(
  'says how far a connection came that was not made in time: reachable %s',
  async (isReachable, detail) => {
    const nothing = () => undefined;
    const leg = { sdp: 'the answer', isReachable, connect: nothing, send: nothing, close: nothing };
    const call = rig({ openLeg: async () => leg });
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true }));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(call.ends()).toMatchObject([{ reason: 'media-failed', detail }]);
  },
);
