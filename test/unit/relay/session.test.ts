import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NewEvent } from '../../../relay/outbox.ts';
import type {
  JoinRoom,
  Leg,
  LegHandlers,
  OpenLeg,
  RoomHandlers,
  RoomLink,
} from '../../../relay/ports.ts';
import type { CallWant } from '../../../relay/protocol.ts';
import { Registry } from '../../../relay/registry.ts';
import { Session, type SessionDeps } from '../../../relay/session.ts';
import { joined, wireOffer } from './domain/offers.ts';

const offer = joined(wireOffer());

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const want = (rev: number, change: Partial<CallWant> = {}): CallWant => ({
  type: 'call.want',
  call_id: 'c1',
  rev,
  connect: false,
  open: false,
  audience: { named: [], excluded: [] },
  ...change,
});

const place = { url: 'ws://livekit', token: 'token' };

/** A session between a leg and a room that do what a test tells them. */
function rig(change: Partial<SessionDeps> = {}) {
  const events: NewEvent[] = [];
  const revs: number[] = [];
  const toProvider: Uint8Array[] = [];
  const toRoom: Uint8Array[] = [];
  const calls: string[] = [];
  let leg: LegHandlers | undefined;
  let room: RoomHandlers | undefined;
  const nothing = () => undefined;
  const openLeg: OpenLeg = async (_offer, _identity, handlers) => {
    leg = handlers;
    const opened: Leg = {
      answer: 'the answer',
      connect: () => calls.push('connect'),
      send: (bytes) => toProvider.push(bytes.slice()),
      close: () => calls.push('leg.close'),
    };
    return opened;
  };
  const joinRoom: JoinRoom = (_place, _audience, handlers) => {
    room = handlers;
    calls.push('join');
    const link: RoomLink = {
      publication: { ssrc: 5, payloadType: 111, audioLevelId: 1 },
      audioLevelId: 1,
      setAudience: (audience) => calls.push(`audience ${audience.named.join()}`),
      setCallStatus: (status) => calls.push(`status ${status}`),
      send: (bytes) => toRoom.push(bytes.slice()),
      leave: async () => void calls.push('leave'),
    };
    return link;
  };
  const deps: SessionDeps = {
    openLeg,
    joinRoom,
    clock: { nowMs: () => Date.now(), wallMs: () => Date.now() },
    ticker: {
      add: (tick) => {
        const timer = setInterval(() => tick(Date.now()), 10);
        return () => clearInterval(timer);
      },
    },
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    random: () => 7,
    emit: (event) => events.push(event),
    emitIs: (_callId, rev) => revs.push(rev),
    ...change,
  };
  const session = new Session('c1', deps);
  return {
    session,
    deps,
    events,
    revs,
    calls,
    toProvider,
    toRoom,
    leg: () => leg as LegHandlers,
    room: () => room as RoomHandlers,
    types: () => events.map(({ type }) => type),
    ends: () => events.filter((event) => event.type === 'ended'),
  };
}

/** A call with media and room up and the path open. */
async function openCall() {
  const call = rig();
  await call.session.answer(offer);
  call.session.want(want(1, { connect: true, room: place }));
  call.leg().onUp();
  call.room().onJoined();
  call.session.want(want(2, { connect: true, open: true }));
  return call;
}

const RTP = Uint8Array.from([
  0x80,
  111,
  0,
  1,
  0,
  0,
  0,
  0,
  0,
  0,
  0,
  9,
  0x78,
  ...Array<number>(30).fill(1),
]);
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
    call.leg().onUp();
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
    call.leg().onUp();
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
    call.leg().onUp();
    expect(call.calls).not.toContain('status active');
    call.room().onJoined();
    expect(call.calls).toContain('status active');
    call.session.close('closed');
  });

  it('joins once, and passes a changed audience on', async () => {
    const call = rig();
    await call.session.answer(offer);
    call.session.want(want(1, { room: place }));
    call.session.want(want(2, { room: place, audience: { named: ['bea'], excluded: [] } }));
    call.session.want(want(1, { room: place, audience: { named: ['old'], excluded: [] } }));
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
    call.leg().onUp();
    call.room().onJoined();
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
      `78${'01'.repeat(30)}`,
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

describe('the end', () => {
  it('is reported once, with the first reason, whoever else ends it', async () => {
    const call = await openCall();
    call.room().onEnded('room-deleted', 'ROOM_DELETED');
    call.leg().onLost('closed');
    call.session.close('closed');
    call.session.want(want(9, { open: true }));
    await call.session.closed;
    expect(call.ends()).toMatchObject([{ reason: 'room-deleted' }]);
    const sent = call.toProvider.length;
    vi.advanceTimersByTime(60_000);
    call.leg().onPacket(RTP.slice());
    expect(call.toProvider).toHaveLength(sent);
    expect(call.calls.slice(-2)).toEqual(['leg.close', 'leave']);
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
    registry.closeAll();
    await vi.advanceTimersByTimeAsync(0);
    expect(isDrained).toBe(true);
  });
});
