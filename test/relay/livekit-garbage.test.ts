// Whatever a LiveKit server sends, a connection ends with a named failure or goes on, and the process stays.
import {
  DisconnectReason,
  LeaveRequest,
  MediaSectionsRequirement,
  ParticipantInfo,
  ParticipantInfo_State,
  ParticipantUpdate,
  RequestResponse,
  RequestResponse_Reason,
  SessionDescription,
  SignalResponse,
  SpeakerInfo,
  SpeakersChanged,
  TrackInfo,
  TrackPublishedResponse,
  TrackSource,
  TrackSubscribed,
  TrackType,
  TrickleRequest,
} from '@livekit/protocol';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createJoinRoom } from '../../relay/adapters/livekit-room.ts';
import { JoinRefused, LiveKitSignal } from '../../relay/adapters/livekit-signal.ts';
import { PEOPLE_MAX, TRACKS_MAX } from '../../relay/domain/room-people.ts';
import type { RoomEnd } from '../../relay/ports.ts';
import { noise } from '../support/noise.ts';
import { FakeLiveKit, type FakeSeat } from './support/fake-livekit.ts';
import { until } from './support/until.ts';

const nothing = () => undefined;
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

let livekit: FakeLiveKit;
beforeEach(async () => {
  livekit = await FakeLiveKit.start();
});
afterEach(() => livekit.stop());

const joinRoom = createJoinRoom({ url: undefined, bindAddress: '127.0.0.1' }, log);

/** A connection of the relay's to the fake server, and everything it has told. */
function join(everyone = true) {
  const told: string[] = [];
  const ends: RoomEnd[] = [];
  let isJoined = false;
  const place = { url: livekit.url, token: 'token', cname: 'name', connectMsMax: 5_000 };
  const room = joinRoom(
    place,
    { named: [], excluded: [], ai: false, everyone },
    {
      onJoined: () => (isJoined = true),
      onParticipantJoined: (identity) => told.push(`+${identity}`),
      onParticipantLeft: (identity) => told.push(`-${identity}`),
      onPublisherSkipped: (identity) => told.push(`skipped ${identity}`),
      onReady: (identity) => told.push(`ready ${identity}`),
      onAudio: nothing,
      onReport: nothing,
      onSpeaking: nothing,
      onSourceGone: nothing,
      onCallerHeard: nothing,
      onTransferAsked: () => false,
      onKey: nothing,
      onEnded: (end) => ends.push(end),
    },
  );
  return { room, told, ends, isJoined: () => isJoined };
}

const ON_PURPOSE: RoomEnd['why'][] = ['replaced', 'room-deleted', 'removed-from-room'];

type Message = SignalResponse['message'];

const word = fc.oneof(
  fc.constantFrom('anna', 'bea', 'caller', '', 'PA_1', 'TR_1', 'x'.repeat(300)),
  noise(12),
);

const sources = fc.constantFrom(TrackSource.UNKNOWN, TrackSource.MICROPHONE, TrackSource.CAMERA);

const person = fc
  .record({
    sid: word,
    identity: word,
    state: fc.constantFrom(
      ParticipantInfo_State.ACTIVE,
      ParticipantInfo_State.JOINING,
      ParticipantInfo_State.DISCONNECTED,
    ),
    tracks: fc.array(fc.record({ sid: word, source: sources }), { maxLength: 4 }),
  })
  .map(({ tracks, ...info }) => {
    const list = tracks.map((track) => new TrackInfo({ ...track, type: TrackType.AUDIO }));
    return new ParticipantInfo({ ...info, tracks: list });
  });

const sdp = fc.oneof(
  noise(300),
  fc.constantFrom(
    '',
    'v=0\r\n',
    'v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 X 0\r\n',
  ),
);

const candidateInit = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc.string({ maxLength: 30 }),
  fc
    .tuple(word, word)
    .map(([rest, sdpMid]) =>
      JSON.stringify({ candidate: `candidate:1 1 udp 1 127.0.0.1 9 typ host ${rest}`, sdpMid }),
    ),
  fc.constantFrom('null', '{"candidate":5}', '{"candidate":"candidate:1 1 udp","sdpMid":{}}'),
);

/** Messages that a server may send, with values that it would not. */
const message: fc.Arbitrary<Message> = fc.oneof(
  fc
    .record({ sdp, id: fc.constantFrom(0, 1, 2, 4_000_000_000) })
    .map((value): Message => ({ case: 'answer', value: new SessionDescription(value) })),
  candidateInit.map((init): Message => ({
    case: 'trickle',
    value: new TrickleRequest({ candidateInit: init }),
  })),
  fc.array(person, { maxLength: 5 }).map((participants): Message => ({
    case: 'update',
    value: new ParticipantUpdate({ participants }),
  })),
  fc.constantFrom(0, 1, 3, 40, 4_000_000_000).map((numAudios): Message => ({
    case: 'mediaSectionsRequirement',
    value: new MediaSectionsRequirement({ numAudios }),
  })),
  fc
    .array(fc.record({ sid: word, active: fc.boolean() }), { maxLength: 5 })
    .map((speakers): Message => ({
      case: 'speakersChanged',
      value: new SpeakersChanged({ speakers: speakers.map((said) => new SpeakerInfo(said)) }),
    })),
  word.map((cid): Message => ({
    case: 'trackPublished',
    value: new TrackPublishedResponse({ cid }),
  })),
  word.map((trackSid): Message => ({
    case: 'trackSubscribed',
    value: new TrackSubscribed({ trackSid }),
  })),
  word.map((token): Message => ({ case: 'refreshToken', value: token })),
  fc
    .constantFrom(RequestResponse_Reason.NOT_ALLOWED, RequestResponse_Reason.OK)
    .map((reason): Message => ({
      case: 'requestResponse',
      value: new RequestResponse({ reason }),
    })),
  fc.constant<Message>({ case: undefined }),
);

/** The bytes of a message with up to three of them changed, left out or put in; or just any bytes. */
const bytes = fc.oneof(
  fc
    .tuple(
      message,
      fc.array(fc.record({ at: fc.nat(400), value: fc.nat(255), kind: fc.nat(2) }), {
        maxLength: 3,
      }),
    )
    .map(([message, accidents]) => {
      const mutated = [...new SignalResponse({ message }).toBinary()];
      for (const { at, value, kind } of accidents)
        mutated.splice(
          at % (mutated.length + 1),
          kind === 0 ? 0 : 1,
          ...(kind === 1 ? [] : [value]),
        );
      return Uint8Array.from(mutated);
    }),
  fc.uint8Array({ maxLength: 200 }),
);

describe('joining', () => {
  it('is refused by name, whatever comes instead of a welcome', { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 5 }), async (all) => {
        livekit.onSeat = (seat) => {
          for (const some of all) seat.sayBytes(some);
          seat.close();
        };
        const handlers = { onMessage: nothing, onUnreadable: nothing, onClose: nothing };
        const refused = await LiveKitSignal.join(livekit.url, 'token', handlers).then(
          // By chance the bytes may be a welcome.
          ({ signal }) => signal.close(),
          (error: unknown) => error,
        );
        if (refused !== undefined) expect(refused).toBeInstanceOf(JoinRefused);
      }),
      { numRuns: 300 },
    );
  });

  it('is over when there is no welcome but a stream of other bytes', async () => {
    livekit.onSeat = (seat) => {
      for (let n = 0; n < 10_000; n++) seat.sayBytes(Uint8Array.of(0xff));
    };
    const { ends } = join();
    await until('the end', () => ends[0]);
    expect(ends).toEqual([{ why: 'unreachable', detail: expect.stringContaining('join: ') }]);
  });
});

describe('a connection', () => {
  it('ends with a name or goes on, before media', { timeout: 60_000 }, async () => {
    livekit.answers = false;
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 12 }), async (all) => {
        livekit.onSeat = (seat) => {
          seat.welcome();
          for (const some of all) seat.sayBytes(some);
          seat.close();
        };
        const { ends, told } = join();
        await until('the end', () => ends[0]);
        expect(ends).toHaveLength(1);
        expect(['failed', ...ON_PURPOSE]).toContain(ends[0]?.why);
        for (const what of told) expect(what.length).toBeLessThanOrEqual(256 + 'skipped '.length);
      }),
      { numRuns: 300 },
    );
  });

  it('ends with a name or goes on, with media', { timeout: 60_000 }, async () => {
    let seat: FakeSeat | undefined;
    livekit.onSeat = (next) => {
      seat = next;
      next.welcome();
    };
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 20 }), async (all) => {
        const { room, ends, isJoined } = join();
        await until('media', isJoined);
        for (const some of all) seat?.sayBytes(some);
        seat?.close();
        await until('the end', () => ends[0]);
        expect(ends).toHaveLength(1);
        expect(['lost', ...ON_PURPOSE]).toContain(ends[0]?.why);
        await room.leave();
      }),
      { numRuns: 40 },
    );
  });

  it.each(Object.values(DisconnectReason).filter((reason) => typeof reason === 'number'))(
    'ends by name when the server says goodbye with reason %i',
    async (reason) => {
      livekit.onSeat = (seat) => {
        seat.welcome();
        seat.say({ case: 'leave', value: new LeaveRequest({ reason }) });
      };
      const { ends } = join();
      await until('the end', () => ends[0]);
      expect(ends).toHaveLength(1);
      const why = new Map<DisconnectReason, RoomEnd['why']>([
        [DisconnectReason.ROOM_DELETED, 'room-deleted'],
        [DisconnectReason.ROOM_CLOSED, 'room-deleted'],
        [DisconnectReason.PARTICIPANT_REMOVED, 'removed-from-room'],
        [DisconnectReason.DUPLICATE_IDENTITY, 'replaced'],
      ]);
      expect(ends[0]?.why).toBe(why.get(reason) ?? 'failed');
    },
  );

  it('is lost when the server falls silent', async () => {
    livekit.onSeat = (seat) => seat.welcome({ pingInterval: 1, pingTimeout: 1 });
    const { ends, isJoined } = join();
    await until('media', isJoined);
    await until('the end', () => ends[0]);
    expect(ends).toEqual([{ why: 'lost', detail: 'signalling went silent' }]);
  });

  it.each([-1, 0, 2_147_483_647])(
    'pings as usual when the server asks for %i s between pings',
    async (seconds) => {
      let seat: FakeSeat | undefined;
      livekit.onSeat = (next) => {
        seat = next;
        next.welcome({ pingInterval: seconds, pingTimeout: seconds });
      };
      const { room, ends, told, isJoined } = join();
      await until('media', isJoined);
      const participants = [new ParticipantInfo({ identity: 'anna', sid: 'PA_1' })];
      seat?.say({ case: 'update', value: new ParticipantUpdate({ participants }) });
      await until('the update', () => told.length === 1);
      expect(seat?.requests.filter((said) => said.case === 'pingReq')).toEqual([]);
      expect(ends).toEqual([]);
      await room.leave();
    },
  );

  it('does not take its own participant of a connection before for somebody else', async () => {
    let seat: FakeSeat | undefined;
    livekit.onSeat = (next) => {
      seat = next;
      next.welcome();
    };
    const { room, ends, told, isJoined } = join();
    await until('media', isJoined);
    const { ACTIVE, DISCONNECTED } = ParticipantInfo_State;
    const participants = [
      new ParticipantInfo({ identity: 'caller', sid: 'PA_before', state: ACTIVE }),
      new ParticipantInfo({
        identity: 'caller',
        sid: 'PA_before',
        state: DISCONNECTED,
        disconnectReason: DisconnectReason.DUPLICATE_IDENTITY,
      }),
      new ParticipantInfo({ identity: 'anna', sid: 'PA_1', state: ACTIVE }),
    ];
    seat?.say({ case: 'update', value: new ParticipantUpdate({ participants }) });
    await until('the update', () => told.includes('+anna'));
    expect([told, ends]).toEqual([['+anna'], []]);
    await room.leave();
  });

  it('is lost when a message is larger than any that a server sends', async () => {
    let seat: FakeSeat | undefined;
    livekit.onSeat = (next) => {
      seat = next;
      next.welcome();
    };
    const { ends, isJoined } = join();
    await until('media', isJoined);
    seat?.say({ case: 'refreshToken', value: 'x'.repeat(5 * 1024 * 1024) });
    await until('the end', () => ends[0]);
    expect(ends).toMatchObject([{ why: 'lost' }]);
  });

  it('is lost when the server says nothing but what cannot be read', async () => {
    let seat: FakeSeat | undefined;
    livekit.onSeat = (next) => {
      seat = next;
      next.welcome();
    };
    const { ends, isJoined } = join();
    await until('media', isJoined);
    for (let n = 0; n < 10_000; n++) seat?.sayBytes(Uint8Array.of(0xff));
    await until('the end', () => ends[0]);
    expect(ends).toMatchObject([{ why: 'lost' }]);
  });
});

describe('a room of thousands', () => {
  const crowd = (count: number, tracks: number, from = 0) =>
    Array.from(
      { length: count },
      (_, index) =>
        new ParticipantInfo({
          sid: `PA_${from + index}`,
          identity: `person-${from + index}`,
          tracks: Array.from(
            { length: tracks },
            (_, track) =>
              new TrackInfo({
                sid: `TR_${from + index}_${track}`,
                source: TrackSource.MICROPHONE,
              }),
          ),
        }),
    );

  it('is told and heard up to a bound', async () => {
    let seat: FakeSeat | undefined;
    livekit.onSeat = (next) => {
      seat = next;
      next.welcome({ otherParticipants: crowd(5_000, 1) });
    };
    const { room, told, ends, isJoined } = join();
    await until('media', isJoined);
    for (let from = 5_000; from < 15_000; from += 1_000) {
      const participants = crowd(1_000, 2, from);
      seat?.say({ case: 'update', value: new ParticipantUpdate({ participants }) });
      const speakers = participants.map(({ sid }) => new SpeakerInfo({ sid, active: true }));
      seat?.say({ case: 'speakersChanged', value: new SpeakersChanged({ speakers }) });
    }
    seat?.say({
      case: 'mediaSectionsRequirement',
      value: new MediaSectionsRequirement({ numAudios: 5_000 }),
    });
    const last = crowd(1, 0, 0).map((info) => {
      info.state = ParticipantInfo_State.DISCONNECTED;
      return info;
    });
    seat?.say({ case: 'update', value: new ParticipantUpdate({ participants: last }) });
    await until('all of it is read', () => told.at(-1) === '-person-0');
    expect(told).toHaveLength(PEOPLE_MAX + 1);
    const offers = () =>
      seat?.requests.flatMap((said) => (said.case === 'offer' ? [said.value.sdp] : [])) ?? [];
    await until('the sections are offered', () => offers().length === 2);
    expect(
      offers()
        .at(-1)
        ?.match(/^m=audio/gm),
    ).toHaveLength(1 + TRACKS_MAX);
    const wanted = seat?.requests.filter(
      (said) => said.case === 'subscription' && said.value.subscribe,
    );
    // One more took the place of the one that left.
    expect(wanted).toHaveLength(TRACKS_MAX + 1);
    expect(ends).toEqual([]);
    await room.leave();
  });

  it('may be one participant with thousands of tracks', async () => {
    livekit.onSeat = (seat) => seat.welcome({ otherParticipants: crowd(1, 20_000) });
    const { room, told, ends, isJoined } = join();
    await until('media', isJoined);
    expect(told).toEqual(['+person-0']);
    expect(ends).toEqual([]);
    await room.leave();
  });
});
