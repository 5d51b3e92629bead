// A session between a leg and a room that do what a test tells them.
import type { NewEvent } from '../../../relay/outbox.ts';
import type {
  CallRecorder,
  JoinRoom,
  Leg,
  LegHandlers,
  OfferLeg,
  OpenLeg,
  RoomHandlers,
  RoomLink,
} from '../../../relay/ports.ts';
import type { CallWant } from '../../../relay/protocol.ts';
import { Session, type SessionDeps } from '../../../relay/session.ts';
import { joined, wireOffer } from './domain/offers.ts';

export const offer = joined(wireOffer());

export const want = (rev: number, change: Partial<CallWant> = {}): CallWant => ({
  type: 'call.want',
  call_id: 'c1',
  rev,
  connect: false,
  open: false,
  audience: AGENTS_ONLY,
  hold: false,
  playing: null,
  recording: 'off',
  transfer: null,
  ...change,
});

export const AGENTS_ONLY = { named: [], excluded: [], ai: false, everyone: false };

/** A packet of 20 ms that is nobody's voice. */
export const HOLD = Uint8Array.of(0xb8, ...Array<number>(30).fill(200));

export const place = { url: 'ws://livekit', token: 'token' };

/** Records nothing. */
const NO_RECORDER: CallRecorder = {
  want: () => undefined,
  open: () => undefined,
  heard: () => undefined,
  sent: () => undefined,
  tick: () => undefined,
  close: () => undefined,
};

/** A session between a leg and a room that do what a test tells them. */
export function rig(change: Partial<SessionDeps> = {}) {
  const events: NewEvent[] = [];
  const revs: number[] = [];
  const toProvider: Uint8Array[] = [];
  const toRoom: Uint8Array[] = [];
  const calls: string[] = [];
  let leg: LegHandlers | undefined;
  let room: RoomHandlers | undefined;
  const nothing = () => undefined;
  const legOf = (sdp: string, handlers: LegHandlers): Leg => {
    leg = handlers;
    return {
      sdp,
      isReachable: false,
      connect: () => calls.push('connect'),
      send: (bytes) => toProvider.push(bytes.slice()),
      close: () => calls.push('leg.close'),
    };
  };
  const openLeg: OpenLeg = async (_offer, _identity, handlers) => legOf('the answer', handlers);
  const offerLeg: OfferLeg = async (_identity, handlers) => ({
    ...legOf('the offer', handlers),
    setAnswer: ({ setup }) => calls.push(`answer ${setup}`),
  });
  const joinRoom: JoinRoom = (_place, _audience, handlers) => {
    room = handlers;
    calls.push('join');
    const link: RoomLink = {
      publication: { ssrc: 5, payloadType: 111, audioLevelId: 1 },
      audioLevelId: 1,
      origin: { room: '', server: '' },
      token: 'token',
      setAudience: (audience) => calls.push(`audience ${audience.named.join()}`),
      setCallStatus: (status) => calls.push(`status ${status}`),
      setTransfer: (state) => calls.push(`transfer ${state}`),
      sendKey: (digit) => calls.push(`key ${digit}`),
      send: (bytes) => toRoom.push(bytes.slice()),
      leave: async () => void calls.push('leave'),
    };
    return link;
  };
  const deps: SessionDeps = {
    openLeg,
    offerLeg,
    joinRoom,
    clock: { nowMs: () => Date.now(), wallMs: () => Date.now() },
    ticker: {
      add: (tick) => {
        const timer = setInterval(() => tick(Date.now()), 10);
        return () => clearInterval(timer);
      },
    },
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    holdSound: [HOLD],
    loadPrompt: async () => ({ ok: false, message: 'there are no prompts' }),
    openMixLine: () => undefined,
    openRecorder: () => NO_RECORDER,
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
export async function openCall() {
  const call = rig();
  await call.session.answer(offer);
  call.session.want(want(1, { connect: true, room: place }));
  call.leg().onUp(undefined);
  call.room().onJoined();
  call.session.want(want(2, { connect: true, open: true }));
  return call;
}

/** One packet of the provider's, 20 ms of Opus. */
export const RTP = Uint8Array.from([
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
  0xb8,
  ...Array<number>(30).fill(1),
]);
