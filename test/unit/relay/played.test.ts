// Hold and prompts: what a call that follows its wanted state sends to both sides, frame by frame.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PLAY_WAIT_MS_MAX } from '../../../relay/bridge.ts';
import { FRAME_TICKS, SILENCE_FRAME } from '../../../relay/domain/opus.ts';
import type { LoadPrompt } from '../../../relay/ports.ts';
import type { CallWant } from '../../../relay/protocol.ts';
import type { SessionDeps } from '../../../relay/session.ts';
import { offer, place, rig, RTP, want } from './session-rig.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** A frame of 20 ms that says whose it is, and its number. */
const frame = (who: string, number: number): Uint8Array => {
  const bytes = new Uint8Array(31).fill(200);
  bytes.set([0xb8, who.charCodeAt(0), number]);
  return bytes;
};
const sound = (who: string, length: number) =>
  Array.from({ length }, (_, number) => frame(who, number));

const rtp = (payload: Uint8Array, sequence: number): Uint8Array => {
  const packet = new Uint8Array(12 + payload.length);
  packet.set(RTP.subarray(0, 12));
  new DataView(packet.buffer).setUint16(2, sequence);
  packet.set(payload, 12);
  return packet;
};

/** Prompts by name: `a` and `b` have ten frames; others are not there. */
const prompts: LoadPrompt = async (prompt) =>
  prompt === 'a' || prompt === 'b'
    ? { ok: true, sound: sound(prompt, 10) }
    : { ok: false, message: 'the worker answers 404' };

/** An open call in which both sides talk, in frames that carry their numbers. */
async function talkingCall(change: Partial<SessionDeps> = {}) {
  const call = rig({ holdSound: sound('h', 200), loadPrompt: prompts, ...change });
  let rev = 1;
  const state: Partial<CallWant> = { connect: true, room: place };
  const set = async (change: Partial<CallWant>) => {
    rev += 1;
    Object.assign(state, change);
    call.session.want(want(rev, state));
    // What is in memory is there at once, but in a later turn.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  };
  await call.session.answer(offer);
  await set({});
  call.leg().onUp(undefined);
  call.room().onJoined();
  await set({ open: true });
  call.room().onCallerHeard();
  let said = 0;
  return {
    ...call,
    set,
    get said() {
      return said;
    },
    /** Lets both talk. @returns what either side is sent meanwhile: `m` is the room's, `c` the caller's, `-` silence */
    talk(ms: number) {
      const from = { provider: call.toProvider.length, room: call.toRoom.length };
      for (let at = 0; at < ms; at += 20) {
        said += 1;
        call.leg().onPacket(rtp(frame('c', said), said));
        call.room().onAudio(1, rtp(frame('m', said), said));
        vi.advanceTimersByTime(20);
      }
      return {
        caller: shown(call.toProvider.slice(from.provider), 12),
        room: shown(call.toRoom.slice(from.room), 20),
      };
    },
  };
}

/** A call in which the room has said forty frames before the opening. */
async function earlyWords(change: Partial<SessionDeps>) {
  const call = rig({ holdSound: sound('h', 200), ...change });
  await call.session.answer(offer);
  call.session.want(want(1, { connect: true, room: place }));
  call.leg().onUp(undefined);
  call.room().onJoined();
  for (let number = 1; number <= 40; number++) {
    call.room().onAudio(1, rtp(frame('m', number), number));
    vi.advanceTimersByTime(20);
  }
  return call;
}

const isRtp = (packet: Uint8Array) => packet[1] !== 200;

/** What packets say, without numbers; those of RTCP are left out. */
const shown = (packets: readonly Uint8Array[], at: number): string =>
  packets
    .filter(isRtp)
    .map((packet) =>
      packet.length === at + SILENCE_FRAME.length ? '-' : String.fromCharCode(packet[at + 1] ?? 0),
    )
    .join('');

/** The numbers of one sound among packets that went to the caller. */
const numbers = (packets: readonly Uint8Array[], who: string, at = 12): number[] =>
  packets
    .filter((packet) => isRtp(packet) && packet[at + 1] === who.charCodeAt(0))
    .map((packet) => packet[at + 2] ?? -1);

/** All packets are one stream: numbers and timestamps without a gap, under one SSRC. */
function expectOneStream(packets: readonly Uint8Array[]): void {
  const views = packets.filter(isRtp).map((packet) => new DataView(packet.buffer));
  const first = views[0];
  expect(views.length).toBeGreaterThan(0);
  for (const [index, view] of views.entries()) {
    expect(view.getUint16(2)).toBe(((first?.getUint16(2) ?? 0) + index) & 0xffff);
    expect(view.getUint32(4)).toBe(((first?.getUint32(4) ?? 0) + index * FRAME_TICKS) >>> 0);
    expect(view.getUint32(8)).toBe(first?.getUint32(8));
  }
}

const plays = (id: number, prompt = 'a', loop = false) => ({ playing: { id, prompt, loop } });

describe('hold', () => {
  it('is heard in the next frame, and nobody hears the other', async () => {
    const call = await talkingCall();
    call.talk(200);
    await call.set({ hold: true });
    const held = call.talk(200);
    expect(held.caller).toBe('hhhhhhhhhh');
    expect(held.room).toMatch(/^-+$/);
    await call.set({ hold: false });
    const back = call.talk(200);
    expect(back.caller).toBe('mmmmmmmmmm');
    expect(back.room).toMatch(/^-{0,3}c{10}$/);
    expectOneStream(call.toProvider);
    expectOneStream(call.toRoom);
    call.session.close('closed');
  });

  it('keeps nothing of what is said meanwhile, in either direction', async () => {
    const call = await talkingCall();
    call.talk(200);
    await call.set({ hold: true });
    const from = call.said;
    call.talk(2_000);
    const to = call.said;
    await call.set({ hold: false });
    call.talk(400);
    const lost = Array.from({ length: to - from }, (_, index) => from + 1 + index);
    expect(numbers(call.toProvider, 'm').filter((n) => lost.includes(n))).toEqual([]);
    expect(numbers(call.toRoom, 'c', 20).filter((n) => lost.includes(n))).toEqual([]);
    expect(numbers(call.toRoom, 'c', 20).slice(-20)).toEqual(
      Array.from({ length: 20 }, (_, index) => to + 1 + index),
    );
    // Nothing was lost on the way.
    call.session.close('closed');
    const [end] = call.ends();
    expect(end).toMatchObject({ stats: { from_caller: { lost: 0 }, to_caller: { lost: 0 } } });
  });

  it('drops what the caller had said before and the room was not sent yet', async () => {
    const call = await talkingCall();
    call.room().onEnded({ why: 'lost', detail: 'signalling closed' });
    call.talk(400);
    await call.set({ hold: true });
    call.room().onJoined();
    call.room().onCallerHeard();
    const mark = call.toRoom.length;
    call.talk(400);
    expect(numbers(call.toRoom.slice(mark), 'c', 20)).toEqual([]);
    call.session.close('closed');
  });

  it('goes on over the return of the room, and over whoever can be heard there', async () => {
    const call = await talkingCall();
    await call.set({ hold: true });
    call.talk(100);
    call.room().onEnded({ why: 'lost', detail: 'signalling closed' });
    call.talk(1_000);
    call.room().onJoined();
    call.room().onReady('anna');
    expect(call.talk(200).caller).toBe('hhhhhhhhhh');
    // Never begun again.
    const played = numbers(call.toProvider, 'h');
    expect(played).toEqual(played.map((_, index) => index));
    call.session.close('closed');
  });
});

describe('a prompt', () => {
  it('is heard in the next frame, once, and the room after it', async () => {
    const call = await talkingCall();
    call.talk(200);
    await call.set(plays(1));
    const heard = call.talk(400);
    expect(heard.caller).toMatch(/^a{10}m{9,10}$/);
    expect(numbers(call.toProvider, 'a')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // The room hears the caller all the time.
    expect(heard.room).toMatch(/^c+$/);
    expect(call.events.filter(({ type }) => type === 'played')).toEqual([
      { type: 'played', call_id: 'c1', id: 1, completed: true },
    ]);
    expectOneStream(call.toProvider);
    call.session.close('closed');
    expect(call.ends()).toMatchObject([{ stats: { to_caller: { lost: 0 } } }]);
  });

  it('is played over and over without a gap until it is withdrawn, and then cut off', async () => {
    const call = await talkingCall();
    await call.set(plays(1, 'a', true));
    call.talk(500);
    expect(numbers(call.toProvider, 'a')).toEqual(
      Array.from({ length: 25 }, (_, index) => index % 10),
    );
    await call.set({ playing: null });
    expect(call.talk(100).caller).toBe('mmmmm');
    expect(call.types()).not.toContain('played');
    call.session.close('closed');
  });

  it('is cut off by another one, and by itself under another id', async () => {
    const call = await talkingCall();
    await call.set(plays(1));
    expect(call.talk(60).caller).toBe('aaa');
    await call.set(plays(2, 'b'));
    expect(call.talk(60).caller).toBe('bbb');
    await call.set(plays(3, 'b'));
    call.talk(400);
    expect(numbers(call.toProvider, 'b')).toEqual([0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(call.events.filter(({ type }) => type === 'played')).toMatchObject([
      { id: 3, completed: true },
    ]);
    expectOneStream(call.toProvider);
    call.session.close('closed');
  });

  it('is not played again when the worker says the same once more', async () => {
    const call = await talkingCall();
    await call.set(plays(1));
    call.talk(60);
    await call.set({});
    call.talk(400);
    await call.set({});
    call.talk(400);
    expect(numbers(call.toProvider, 'a')).toHaveLength(10);
    expect(call.events.filter(({ type }) => type === 'played')).toHaveLength(1);
    call.session.close('closed');
  });

  it('comes before the hold sound, and the room hears no caller who is on hold', async () => {
    const call = await talkingCall();
    await call.set({ hold: true });
    call.talk(100);
    await call.set(plays(1));
    const heard = call.talk(300);
    expect(heard.caller).toMatch(/^a{10}h{4,5}$/);
    expect(heard.room).toMatch(/^-+$/);
    expectOneStream(call.toProvider);
    call.session.close('closed');
  });

  it('is played while the room is away', async () => {
    const call = await talkingCall();
    call.room().onEnded({ why: 'lost', detail: 'signalling closed' });
    call.talk(1_000);
    await call.set(plays(1));
    expect(call.talk(240).caller).toMatch(/^a{10}h{1,2}$/);
    call.session.close('closed');
  });

  it('that cannot be had is reported, and the room is heard', async () => {
    const call = await talkingCall();
    await call.set(plays(1, 'gone'));
    expect(call.talk(100).caller).toBe('mmmmm');
    expect(call.events.filter(({ type }) => type === 'played')).toEqual([
      { type: 'played', call_id: 'c1', id: 1, completed: false },
    ]);
    call.session.close('closed');
  });

  it.each([
    ['withdrawn', { playing: null }],
    ['replaced', plays(2, 'b')],
  ])('that comes after it was %s is not heard', async (_what, change) => {
    const loading = Promise.withResolvers<Awaited<ReturnType<LoadPrompt>>>();
    const call = await talkingCall({
      loadPrompt: (prompt) => (prompt === 'a' ? loading.promise : prompts(prompt)),
    });
    await call.set(plays(1));
    expect(call.talk(200).caller).toMatch(/^-+$/);
    await call.set(change);
    loading.resolve({ ok: true, sound: sound('a', 10) });
    await loading.promise;
    call.talk(400);
    expect(numbers(call.toProvider, 'a')).toEqual([]);
    call.session.close('closed');
  });

  it('that comes after the end of the call says nothing', async () => {
    const loading = Promise.withResolvers<Awaited<ReturnType<LoadPrompt>>>();
    const call = await talkingCall({ loadPrompt: () => loading.promise });
    await call.set(plays(1));
    call.session.close('closed');
    loading.resolve({ ok: false, message: 'the worker answers 404' });
    await loading.promise;
    expect(call.types().at(-1)).toBe('ended');
  });

  it('waits for the opening of the path, and comes before what the room has said until then', async () => {
    const call = rig({ holdSound: sound('h', 200), loadPrompt: prompts });
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place, ...plays(1) }));
    call.leg().onUp(undefined);
    call.room().onJoined();
    for (let number = 1; number <= 40; number++) {
      call.room().onAudio(1, rtp(frame('m', number), number));
      await vi.advanceTimersByTimeAsync(20);
    }
    expect(call.toProvider).toEqual([]);
    call.session.want(want(2, { connect: true, room: place, open: true, ...plays(1) }));
    await vi.advanceTimersByTimeAsync(180);
    expect(shown(call.toProvider, 12)).toMatch(/^-?a{9,10}$/);
    call.session.close('closed');
  });

  it('that takes long leaves the caller in silence for a second, and then to the room', async () => {
    const loading = Promise.withResolvers<Awaited<ReturnType<LoadPrompt>>>();
    const call = await talkingCall({ loadPrompt: () => loading.promise });
    await call.set(plays(1));
    expect(call.talk(PLAY_WAIT_MS_MAX).caller).toMatch(/^-+$/);
    expect(call.talk(200).caller).toMatch(/^-?m{10}$/);
    loading.resolve({ ok: true, sound: sound('a', 10) });
    await vi.advanceTimersByTimeAsync(0);
    expect(call.talk(200).caller).toMatch(/^-?a{9,10}$/);
    expectOneStream(call.toProvider);
    call.session.close('closed');
  });

  it('that comes with the opening is the first that the caller hears', async () => {
    const loading = Promise.withResolvers<Awaited<ReturnType<LoadPrompt>>>();
    const call = await earlyWords({ loadPrompt: () => loading.promise });
    call.session.want(want(2, { connect: true, room: place, open: true, ...plays(1) }));
    vi.advanceTimersByTime(100);
    loading.resolve({ ok: true, sound: sound('a', 10) });
    await vi.advanceTimersByTimeAsync(100);
    expect(shown(call.toProvider, 12)).toMatch(/^-{3,5}a{5,6}$/);
    expectOneStream(call.toProvider);
    call.session.close('closed');
  });

  it('that is wanted long before the opening is waited for from the opening on', async () => {
    const loading = Promise.withResolvers<Awaited<ReturnType<LoadPrompt>>>();
    const call = rig({ holdSound: sound('h', 200), loadPrompt: () => loading.promise });
    await call.session.answer(offer);
    call.session.want(want(1, { connect: true, room: place, ...plays(0) }));
    call.leg().onUp(undefined);
    call.room().onJoined();
    let said = 0;
    const say = (frames: number) => {
      for (let number = 0; number < frames; number++) {
        said += 1;
        call.room().onAudio(1, rtp(frame('m', said), said));
        vi.advanceTimersByTime(20);
      }
    };
    say(200);
    call.session.want(want(2, { connect: true, room: place, open: true, ...plays(0) }));
    say(PLAY_WAIT_MS_MAX / 20);
    expect(shown(call.toProvider, 12)).toMatch(/^-+$/);
    say(5);
    // Nothing of what was said before.
    expect(numbers(call.toProvider, 'm')).toEqual([251, 252, 253, 254, 255]);
    call.session.close('closed');
  });

  it('that comes while the first words of the room are played cuts them off', async () => {
    const call = await earlyWords({ loadPrompt: prompts });
    call.session.want(want(2, { connect: true, room: place, open: true }));
    vi.advanceTimersByTime(100);
    call.session.want(want(3, { connect: true, room: place, open: true, ...plays(1) }));
    await vi.advanceTimersByTimeAsync(100);
    // Ten frames in 100 ms; those that were not played yet are not, nor is silence in their place.
    expect(shown(call.toProvider, 12)).toMatch(/^m{10,12}a{5,6}$/);
    expectOneStream(call.toProvider);
    call.session.close('closed');
  });

  it('takes the place of a mix, which is given up until it is over', async () => {
    const lines: string[] = [];
    const nothing = () => undefined;
    const call = await talkingCall({
      openMixLine: () => {
        lines.push('open');
        const close = () => lines.push('close');
        return {
          push: nothing,
          drop: nothing,
          release: nothing,
          start: nothing,
          stop: nothing,
          close,
        };
      },
    });
    const both = (ms: number) => {
      for (let at = 0; at < ms; at += 20) {
        call.room().onAudio(2, rtp(frame('n', at / 20), at / 20));
        call.talk(20);
      }
    };
    both(200);
    expect(lines).toEqual(['open']);
    await call.set(plays(1, 'a', true));
    const mark = call.toProvider.length;
    both(400);
    expect(shown(call.toProvider.slice(mark), 12)).toBe('a'.repeat(20));
    expect(lines).toEqual(['open', 'close']);
    await call.set({ playing: null });
    both(100);
    expect(lines).toEqual(['open', 'close', 'open']);
    call.session.close('closed');
  });
});
