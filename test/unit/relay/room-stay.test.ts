import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JoinRoom, RoomEnd, RoomHandlers, RoomLink } from '../../../relay/ports.ts';
import { REJOIN_MS_MAX, RoomStay } from '../../../relay/room-stay.ts';
import { AGENTS_ONLY } from './session-rig.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const place = { url: 'ws://livekit', token: 'first' };

type Attempt = RoomHandlers & { token: string; audience: string; left: boolean };

/**
 * A stay whose attempts do nothing but what a test tells them.
 *
 * @param rooms the server's ids of the rooms that the attempts find; unknown where it ends
 */
function rig(rooms: readonly string[] = []) {
  const attempts: Attempt[] = [];
  const told: string[] = [];
  const nothing = () => undefined;
  const joinRoom: JoinRoom = ({ token }, { named }, handlers) => {
    const attempt: Attempt = { ...handlers, token, audience: named.join(), left: false };
    attempts.push(attempt);
    const link: RoomLink = {
      publication: { ssrc: 5, payloadType: 111, audioLevelId: 1 },
      audioLevelId: 1,
      origin: { room: rooms[attempts.length - 1] ?? '', server: 'server' },
      token: `${token}, renewed`,
      setAudience: (audience) => (attempt.audience = audience.named.join()),
      setCallStatus: nothing,
      setTransfer: nothing,
      sendKey: nothing,
      send: nothing,
      leave: async () => void (attempt.left = true),
    };
    return link;
  };
  const deps = {
    joinRoom,
    clock: { nowMs: () => Date.now(), wallMs: () => Date.now() },
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    random: () => 0,
  };
  const stay = new RoomStay('c1', 'name', deps, {
    onJoined: () => told.push('joined'),
    onAway: (detail) => told.push(`away: ${detail}`),
    onEnded: (reason, detail) => told.push(`${reason}: ${detail}`),
    onParticipantJoined: (identity) => told.push(`+${identity}`),
    onParticipantLeft: (identity, why) => told.push(`-${identity} ${why}`),
    onPublisherSkipped: (identity) => told.push(`skipped ${identity}`),
    onReady: (identity) => told.push(`ready ${identity}`),
    onAudio: nothing,
    onReport: nothing,
    onSpeaking: nothing,
    onSourceGone: nothing,
    onCallerHeard: nothing,
    onTransferAsked: () => false,
    onKey: nothing,
  });
  const last = () => attempts.at(-1) as Attempt;
  return {
    stay,
    attempts,
    told,
    last,
    want: (token?: string, named: string[] = []) =>
      stay.want(token === undefined ? undefined : { ...place, token }, { ...AGENTS_ONLY, named }),
    end: (why: RoomEnd['why'], detail: string = why) => last().onEnded({ why, detail }),
  };
}

/** A stay that has been in its room for a minute. */
function inRoom() {
  const stay = rig();
  stay.want('first');
  stay.last().onJoined();
  vi.advanceTimersByTime(60_000);
  stay.told.length = 0;
  return stay;
}

describe('the first join', () => {
  it('tries a server that cannot be reached for 5 s', () => {
    const { want, end, attempts, told } = rig();
    want('first');
    const startedAtMs = Date.now();
    end('unreachable', 'join: refused');
    while (told.length === 0) {
      vi.advanceTimersByTime(300);
      end('unreachable', 'join: refused');
    }
    expect(Date.now() - startedAtMs).toBeGreaterThan(4_700);
    expect(Date.now() - startedAtMs).toBeLessThanOrEqual(5_000);
    expect(attempts.length).toBeGreaterThan(10);
    expect(told).toEqual(['room-failed: join: refused']);
  });

  it.each(['refused', 'failed'] as const)('is over at once when it is %s', (why) => {
    const { want, end, attempts, told } = rig();
    want('first');
    end(why);
    vi.advanceTimersByTime(20_000);
    want('second');
    expect(attempts).toHaveLength(1);
    expect(told).toEqual([`room-failed: ${why}`]);
  });

  it('uses the newest audience, and the newest place from the next attempt on', () => {
    const { want, end, attempts, last } = rig();
    want(undefined, ['nobody']);
    expect(attempts).toEqual([]);
    want('first', ['bea']);
    want('second', ['carl']);
    expect(attempts).toMatchObject([{ token: 'first', audience: 'carl' }]);
    end('unreachable');
    vi.advanceTimersByTime(300);
    expect(last()).toMatchObject({ token: 'second', audience: 'carl' });
  });
});

describe('an absence', () => {
  it('is told once, and begins with an attempt with the token that the server renewed', () => {
    const { want, end, attempts, last, told } = inRoom();
    want('of before the loss');
    end('lost', 'signalling closed');
    expect(told).toEqual(['away: signalling closed']);
    expect(last().token).toBe('first, renewed');
    end('unreachable');
    vi.advanceTimersByTime(299);
    expect(attempts).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(attempts).toHaveLength(3);
    last().onJoined();
    expect(told).toEqual(['away: signalling closed', 'joined']);
  });

  it('ends as room-lost 10 s after the loss, saying how it broke and what came of it', () => {
    const { end, attempts, told } = inRoom();
    end('lost', 'signalling closed');
    for (let ms = 0; ms < REJOIN_MS_MAX - 1; ms += 1) {
      if (ms % 300 === 0) end('unreachable', 'join: refused');
      vi.advanceTimersByTime(1);
    }
    expect(told).toHaveLength(1);
    expect(attempts.length).toBeGreaterThan(20);
    vi.advanceTimersByTime(1);
    expect(told.slice(1)).toEqual([
      'room-lost: signalling closed; not back within 10 s: join: refused',
    ]);
    const tried = attempts.length;
    vi.advanceTimersByTime(20_000);
    expect(attempts).toHaveLength(tried);
  });

  it.each(['refused', 'failed', 'unreachable', 'replaced'] as const)(
    'goes on when an attempt is %s',
    (why) => {
      const { end, attempts, told } = inRoom();
      end('lost');
      end(why);
      vi.advanceTimersByTime(300);
      expect(attempts).toHaveLength(3);
      expect(told).toEqual(['away: lost']);
    },
  );

  it('tries a new token at once, or as soon as the attempt under way has failed', () => {
    const { want, end, attempts, last } = inRoom();
    end('lost');
    end('refused');
    want('second');
    expect(last().token).toBe('second');
    want('third');
    expect(attempts).toHaveLength(3);
    end('refused');
    vi.advanceTimersByTime(300);
    expect(last().token).toBe('third');
  });

  it.each(['room-deleted', 'removed-from-room'] as const)(
    'does not come about when the end is %s, and ends with it',
    (why) => {
      const deleted = inRoom();
      deleted.end(why, 'on purpose');
      expect(deleted.told).toEqual([`${why}: on purpose`]);
      const later = inRoom();
      later.end('lost');
      later.end(why, 'on purpose');
      vi.advanceTimersByTime(20_000);
      expect(later.told).toEqual(['away: lost', `${why}: on purpose`]);
      expect(later.attempts).toHaveLength(2);
    },
  );

  it('is not prolonged by a connection that breaks again within 3 s', () => {
    const { end, attempts, last, told } = inRoom();
    end('lost');
    let ms = 0;
    while (!told.some((line) => line.startsWith('room-lost')) && ms < 60_000) {
      if (ms % 400 === 0) {
        last().onJoined();
        end('lost');
      }
      vi.advanceTimersByTime(100);
      ms += 100;
    }
    expect(ms).toBe(REJOIN_MS_MAX);
    // A pause between any two.
    expect(attempts.length).toBeLessThanOrEqual(2 + REJOIN_MS_MAX / 400);
  });

  it('is a new one when the connection held for 3 s', () => {
    const { end, last, told } = inRoom();
    end('lost');
    vi.advanceTimersByTime(9_000);
    last().onJoined();
    vi.advanceTimersByTime(3_000);
    end('lost', 'again');
    vi.advanceTimersByTime(REJOIN_MS_MAX - 1);
    expect(told).toEqual(['away: lost', 'joined', 'away: again']);
    vi.advanceTimersByTime(1);
    expect(told.at(-1)).toMatch(/^room-lost/);
  });
});

describe('somebody else who joins as us', () => {
  it('ends the stay, because they were sent', () => {
    const { end, told } = inRoom();
    end('replaced', 'DUPLICATE_IDENTITY');
    expect(told).toEqual(['removed-from-room: DUPLICATE_IDENTITY']);
  });

  it('may be an attempt of ours that came late: then it goes on, but not for longer', () => {
    const { end, last, attempts, told } = inRoom();
    end('lost');
    vi.advanceTimersByTime(9_000);
    last().onJoined();
    end('replaced', 'DUPLICATE_IDENTITY');
    expect(told.at(-1)).toBe('away: DUPLICATE_IDENTITY');
    vi.advanceTimersByTime(300);
    expect(attempts).toHaveLength(3);
    last().onJoined();
    vi.advanceTimersByTime(700);
    end('replaced', 'DUPLICATE_IDENTITY');
    expect(told.at(-1)).toBe('removed-from-room: DUPLICATE_IDENTITY');
  });

  it('is somebody else in a stay that never broke, however short', () => {
    const { want, last, end, told } = rig();
    want('first');
    last().onJoined();
    end('replaced');
    expect(told).toEqual(['joined', 'removed-from-room: replaced']);
  });
});

describe('who is in the room', () => {
  it('is told once; after an absence only what has changed', () => {
    const { end, last, told } = inRoom();
    for (const identity of ['anna', 'bea', 'carl']) last().onParticipantJoined(identity);
    last().onPublisherSkipped('bea');
    last().onReady('anna');
    told.length = 0;
    end('lost');
    last().onParticipantJoined('anna');
    last().onParticipantJoined('bea');
    last().onPublisherSkipped('bea');
    last().onParticipantJoined('dora');
    last().onJoined();
    last().onReady('anna');
    last().onParticipantJoined('carl');
    expect(told).toEqual(['away: lost', '+dora', 'joined', '-carl lost', 'ready anna', '+carl']);
  });

  it('is not judged by an attempt that failed', () => {
    const { end, last, told } = inRoom();
    last().onParticipantJoined('anna');
    last().onParticipantJoined('bea');
    told.length = 0;
    end('lost');
    last().onParticipantJoined('bea');
    last().onParticipantLeft('bea', 'left');
    end('failed');
    vi.advanceTimersByTime(300);
    last().onParticipantJoined('anna');
    last().onJoined();
    expect(told).toEqual(['away: lost', '-bea left', 'joined']);
  });

  it('is skipped again after having left', () => {
    const { last, told } = inRoom();
    last().onParticipantJoined('bea');
    last().onPublisherSkipped('bea');
    last().onParticipantLeft('bea', 'left');
    last().onParticipantJoined('bea');
    last().onPublisherSkipped('bea');
    expect(told.filter((line) => line === 'skipped bea')).toHaveLength(2);
  });
});

describe('leaving', () => {
  it('leaves the connection, or the attempt at one', async () => {
    const { stay, last } = inRoom();
    await stay.leave();
    expect(last().left).toBe(true);
    const away = inRoom();
    away.end('lost');
    await away.stay.leave();
    expect(away.last().left).toBe(true);
    vi.advanceTimersByTime(20_000);
    expect(away.told).toEqual(['away: lost']);
  });

  it('ends the attempts', async () => {
    const { stay, end, attempts, told } = inRoom();
    end('lost');
    end('unreachable');
    await stay.leave();
    vi.advanceTimersByTime(20_000);
    expect(attempts).toHaveLength(2);
    expect(told).toEqual(['away: lost']);
  });
});

describe('a room that was deleted without a word', () => {
  it('is not taken for the one that the same server made anew', () => {
    const { want, last, end, told } = rig(['RM_1', 'RM_2']);
    want('first');
    last().onJoined();
    end('lost', 'broken');
    last().onJoined();
    expect(told).toEqual([
      'joined',
      'away: broken',
      'room-deleted: deleted while the connection was broken',
    ]);
    expect(last().left).toBe(true);
  });

  it('is told apart from a connection that broke', () => {
    const { want, last, end, told } = rig(['RM_1', 'RM_1']);
    want('first');
    last().onJoined();
    end('lost', 'broken');
    last().onJoined();
    expect(told).toEqual(['joined', 'away: broken', 'joined']);
  });
});
