// A relay in this process between a fake worker and a real livekit-server, with a phone per call.
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { parseConfig } from '../../../relay/config.ts';
import { startRelay, type Relay } from '../../../relay/relay.ts';
import type { Audience } from '../../../relay/protocol.ts';
import {
  LitePhone,
  type AnsweringOptions,
  type LitePhoneOptions,
} from '../../local/simulator/phone.ts';
import { startLiveKit, type LiveKit } from '../../support/livekit-server.ts';
import { FakeWorker } from './fake-worker.ts';
import { Participant } from './participant.ts';
import { agentToken, callerToken, roomService } from './rooms.ts';
import { until } from './until.ts';

export const RELAY_SECRET = 'test-relay-secret';

/** Where relays of tests keep recordings that are not brought yet; made when there is one. */
export const RECORDINGS_FOLDER = join(tmpdir(), `roomline-recordings-${process.pid}`);

export type Call = { id: string; phone: LitePhone };

let calls = 0;

/** A call id of its own. */
export const newCallId = (): string => `call-${process.pid}-${(calls += 1)}`;

export class Rig {
  /** The one that runs at present. */
  livekit: LiveKit;
  readonly worker: FakeWorker;
  readonly relay: Relay;
  readonly #phones: LitePhone[] = [];
  readonly #participants: Participant[] = [];

  private constructor(livekit: LiveKit, worker: FakeWorker, relay: Relay) {
    this.livekit = livekit;
    this.worker = worker;
    this.relay = relay;
  }

  /** @param env relay settings that differ */
  static async start(env: Record<string, string> = {}): Promise<Rig> {
    const livekit = await startLiveKit();
    const worker = await FakeWorker.start(RELAY_SECRET);
    const parsed = parseConfig(relayEnv(worker.url, env));
    if (!parsed.ok) throw new Error(parsed.problems.join('; '));
    const relay = await startRelay(
      parsed.config,
      pino({ level: process.env['RELAY_TEST_LOG'] ?? 'silent' }),
    );
    await until('the relay says hello', () => worker.hellos()[0]);
    return new Rig(livekit, worker, relay);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#participants.map((participant) => participant.leave()));
    this.relay.endCalls();
    await this.relay.drain();
    for (const phone of this.#phones) phone.close();
    await this.worker.stop();
    await this.livekit.stop();
  }

  /** Ends the LiveKit server at once, as a crash would. */
  async killLiveKit(): Promise<void> {
    const { child } = this.livekit;
    if (!child) throw new Error('LIVEKIT_URL names a server that is not ours to kill');
    await child.kill();
  }

  /** Starts a LiveKit server in the place of the one that was killed. @param change what is different about it */
  async restartLiveKit(change: { apiSecret?: string } = {}): Promise<void> {
    const { url, apiKey, apiSecret } = this.livekit;
    const port = Number(new URL(url).port);
    this.livekit = await startLiveKit({ port, apiKey, apiSecret, ...change });
  }

  /** A phone whose offer the relay has answered; nothing is connected yet. */
  async answeredCall(options: LitePhoneOptions = {}): Promise<Call> {
    const call = await this.deafCall(options);
    await call.phone.applyAnswer((await this.worker.event(call.id, 'answered')).sdp);
    return call;
  }

  /** The same before the provider has the answer: its phone ignores checks. */
  async deafCall(options: LitePhoneOptions = {}): Promise<Call> {
    const id = newCallId();
    const phone = await LitePhone.create(options);
    this.#phones.push(phone);
    this.worker.send({ type: 'call.answer', call_id: id, sdp: phone.offer });
    await this.worker.event(id, 'answered');
    return { id, phone };
  }

  /** A call whose media is up and whose caller is in its room; the path is still closed. */
  async ringingCall(
    options: LitePhoneOptions & { audience?: Partial<Audience> } = {},
  ): Promise<Call> {
    const call = await this.answeredCall(options);
    await this.enter(call, options.audience);
    return call;
  }

  /** Brings up the media of an answered call, and the caller into its room. */
  async enter(call: Call, audience: Partial<Audience> = {}, withinMs?: number): Promise<void> {
    await roomService(this.livekit).createRoom({ name: call.id, emptyTimeout: 60 });
    const room = { url: this.livekit.url, token: await callerToken(this.livekit, call.id) };
    this.worker.want(call.id, { connect: true, room, audience });
    await this.worker.event(call.id, 'media-up', () => true, withinMs);
    await this.worker.event(call.id, 'room-joined');
  }

  /** A phone that rings because we call it: our offer is with the provider, its answer not yet with the relay. */
  async offeredCall(options: AnsweringOptions = {}): Promise<Call & { answer: string }> {
    const id = newCallId();
    this.worker.send({ type: 'call.offer', call_id: id });
    const { sdp } = await this.worker.event(id, 'offered');
    const phone = await LitePhone.answering(sdp, options);
    this.#phones.push(phone);
    return { id, phone, answer: phone.answer ?? '' };
  }

  /** The same with its media up, and its room ready for people; the relay is not in there. */
  async ringingOutside(options: AnsweringOptions = {}): Promise<Call> {
    const { answer, ...call } = await this.offeredCall(options);
    this.worker.send({ type: 'call.apply-answer', call_id: call.id, sdp: answer });
    await this.worker.event(call.id, 'media-up');
    await roomService(this.livekit).createRoom({ name: call.id, emptyTimeout: 60 });
    return call;
  }

  /** The called person picks up: the path opens, and the relay joins the room. */
  async pickUp({ id, phone }: Call, audience: Partial<Audience> = {}): Promise<void> {
    const room = { url: this.livekit.url, token: await callerToken(this.livekit, id) };
    phone.markAccepted();
    this.worker.want(id, { open: true, room, audience });
  }

  /** Opens the path and marks the call as accepted at the phone. */
  open({ id, phone }: Call): void {
    phone.markAccepted();
    this.worker.want(id, { open: true });
  }

  async join(token: string, tones: readonly number[] = []): Promise<Participant> {
    const participant = await Participant.join(this.livekit.url, token, tones);
    this.#participants.push(participant);
    return participant;
  }

  async agent(call: Call, identity: string, tones: readonly number[] = []): Promise<Participant> {
    return await this.join(await agentToken(this.livekit, call.id, identity), tones);
  }
}

/** Settings of a relay on loopback. */
export const relayEnv = (
  workerUrl: string,
  env: Record<string, string> = {},
): Record<string, string> => ({
  ROOMLINE_URL: workerUrl,
  RELAY_ID: 'relay-1',
  RELAY_SECRET,
  RELAY_BIND_ADDRESS: '127.0.0.1',
  RELAY_UDP_PORTS: '42000-42499',
  RELAY_RECORDINGS_DIR: RECORDINGS_FOLDER,
  // Other work on the machine decides nothing here.
  RELAY_CPU_MAX: '100',
  ...env,
});
