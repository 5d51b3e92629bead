// Relays as an independent model: processes that hold sessions and report until acknowledged, and the socket of each.
import {
  CLOSE_REPLACED,
  PROTOCOL_VERSION,
  type FrameToRelay,
  type RelayEvent,
} from '../../../relay/protocol.ts';
import type { Random } from '../../bench/random.ts';
import type { Faults } from './faults.ts';
import { Session, type NewEvent, type SessionDeps } from './relay-session.ts';
import type { Simulation } from './simulation.ts';
import type { TestSocket } from './sockets.ts';

const WELCOME_MS_MAX = 10_000;
const REDIAL_MS_MAX = 5_000;
const REDIAL_REFUSED_MS = 30_000;
/** A relay that hears nothing for three keep-alives gives the connection up. */
const SILENCE_MS_MAX = 30_000;

/** One start of the relay's program. */
class Process {
  readonly instance: string;
  readonly sessions = new Map<string, Session>();
  /** Ended here, so that a late frame does not bring one back to life. */
  readonly ended = new Set<string>();
  outbox: RelayEvent[] = [];
  seq = 0;
  isDraining = false;

  constructor(instance: string) {
    this.instance = instance;
  }
}

export interface RelayDeps extends Omit<SessionDeps, 'emit' | 'ended' | 'instance'> {
  readonly sim: Simulation;
  readonly random: Random;
  readonly faults: Faults;
  /** Opens a connection to whoever is the Switchboard now; null when it cannot be reached. */
  readonly dial: (relay: Relay) => TestSocket | null;
}

export class Relay {
  readonly id: string;
  readonly capacity: number;
  /** Nothing gets through to the worker and back. */
  isCutOff = false;
  #process: Process | null = null;
  #socket: TestSocket | null = null;
  #isWelcome = false;
  #failures = 0;
  #starts = 0;
  readonly #deps: RelayDeps;

  constructor(id: string, capacity: number, deps: RelayDeps) {
    this.id = id;
    this.capacity = capacity;
    this.#deps = deps;
  }

  sessions(): Session[] {
    return [...(this.#process?.sessions.values() ?? [])];
  }

  get isRunning(): boolean {
    return this.#process !== null;
  }

  get isUnacknowledged(): boolean {
    return (this.#process?.outbox.length ?? 0) > 0;
  }

  // ---- the process -----------------------------------------------------------------------------------------------------------

  start(): void {
    this.#process = new Process(`${this.id}-${++this.#starts}`);
    this.#failures = 0;
    this.#dial();
  }

  /** The program dies; its sessions die with it. */
  die(): void {
    for (const session of this.sessions()) session.vanish();
    this.#process = null;
    this.breakSocket();
    this.#forget();
  }

  drain(): void {
    if (!this.#process) return;
    this.#process.isDraining = true;
    if (this.#isWelcome) this.#socket?.frame({ type: 'draining' });
  }

  get isDraining(): boolean {
    return this.#process?.isDraining ?? false;
  }

  // ---- the socket ------------------------------------------------------------------------------------------------------------

  breakSocket(): void {
    this.#socket?.break();
  }

  /** Packets vanish both ways for so long, and nobody is told. */
  cutOff(ms: number): void {
    if (this.isCutOff) return;
    this.isCutOff = true;
    const socket = this.#socket;
    socket?.silence();
    const { sim } = this.#deps;
    sim.after(SILENCE_MS_MAX, () => {
      if (socket && socket === this.#socket) this.#lost(socket, 1006);
    });
    sim.after(ms, () => this.reconnect());
  }

  /** The way to the worker is there again. */
  reconnect(): void {
    if (!this.isCutOff) return;
    this.isCutOff = false;
    // Either end may have given up; what was sent meanwhile is lost, so the relay's own keep-alive breaks the connection.
    const socket = this.#socket;
    if (socket?.isSilent) {
      this.#lost(socket, 1006);
      socket.forsaken();
    }
  }

  #forget(): void {
    this.#socket = null;
    this.#isWelcome = false;
  }

  #dial(): void {
    const { sim, random } = this.#deps;
    const process = this.#process;
    sim.after(10 + random.below(60), () => {
      if (!process || this.#process !== process || this.#socket) return;
      const socket = this.isCutOff ? null : this.#deps.dial(this);
      if (!socket) return this.#again(1006);
      this.#socket = socket;
      this.#isWelcome = false;
      socket.frame({
        type: 'hello',
        relay_id: this.id,
        instance: process.instance,
        protocol: PROTOCOL_VERSION,
        capacity: this.capacity,
        draining: process.isDraining,
        calls: [...process.sessions.keys()],
      });
      sim.after(WELCOME_MS_MAX, () => {
        if (this.#socket !== socket || this.#isWelcome) return;
        this.#lost(socket, 1006);
        socket.break();
      });
    });
  }

  closed(socket: TestSocket, code: number): void {
    this.#lost(socket, code);
  }

  #lost(socket: TestSocket, code: number): void {
    if (socket !== this.#socket) return;
    this.#forget();
    this.#again(code);
  }

  #again(code: number): void {
    const { sim, random } = this.#deps;
    this.#failures += 1;
    const longest = Math.min(REDIAL_MS_MAX, 250 * 2 ** (this.#failures - 1));
    const waitMs = code === CLOSE_REPLACED ? REDIAL_REFUSED_MS : random.below(longest);
    sim.after(waitMs, () => this.#dial());
  }

  // ---- frames ----------------------------------------------------------------------------------------------------------------

  receive(socket: TestSocket, frame: FrameToRelay): void {
    const process = this.#process;
    if (!process || socket !== this.#socket) return;
    switch (frame.type) {
      case 'welcome':
        this.#isWelcome = true;
        this.#failures = 0;
        for (const event of process.outbox) this.#send(event);
        return;
      case 'ack':
        process.outbox = process.outbox.filter(({ seq }) => seq > frame.seq);
        return;
      case 'refused':
        return this.#deps.violated('event-refused', '', frame.message);
      case 'call.answer':
        return this.#take(process, frame.call_id, false);
      case 'call.offer':
        return this.#take(process, frame.call_id, true);
      case 'call.apply-answer':
        return this.#find(process, frame.call_id)?.applyAnswer();
      case 'call.want':
        return this.#find(process, frame.call_id)?.want(frame);
      case 'call.close':
        return process.sessions.get(frame.call_id)?.close('closed');
    }
  }

  #take(process: Process, callId: string, isOffering: boolean): void {
    const known = process.sessions.get(callId);
    if (known) return known.report();
    if (process.ended.has(callId)) return;
    if (process.isDraining || process.sessions.size >= this.capacity) {
      this.#emit(process, { type: 'ended', call_id: callId, reason: 'no-capacity' });
      return;
    }
    const lateMs = this.#deps.faults.next('take')?.ms ?? 0;
    const session = new Session(callId, isOffering, lateMs, {
      ...this.#deps,
      instance: process.instance,
      emit: (event) => this.#emit(process, event),
      ended: ({ callId: id }) => {
        process.sessions.delete(id);
        process.ended.add(id);
      },
    });
    process.sessions.set(callId, session);
  }

  #find(process: Process, callId: string): Session | undefined {
    const session = process.sessions.get(callId);
    if (!session && !process.ended.has(callId)) {
      this.#emit(process, { type: 'ended', call_id: callId, reason: 'internal' });
    }
    return session;
  }

  #emit(process: Process, event: NewEvent): void {
    if (process !== this.#process) return;
    const numbered: RelayEvent = { ...event, seq: ++process.seq, at_ms: this.#deps.sim.nowMs };
    process.outbox.push(numbered);
    if (this.#isWelcome) this.#send(numbered);
  }

  #send(event: RelayEvent): void {
    const socket = this.#socket;
    if (!socket) return;
    const hit = this.#deps.faults.next('event');
    socket.frame(event, hit?.fault === 'relay-event-late' ? hit.ms : 0);
    if (hit?.fault === 'relay-event-doubled') socket.frame(event);
    // It may have arrived or not, and the acknowledgement is lost.
    if (hit?.fault === 'relay-event-cut-off') {
      this.#deps.sim.after(this.#deps.random.below(15), () => socket.break());
    }
  }
}
