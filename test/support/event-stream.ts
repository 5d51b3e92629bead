// The events of one WebSocket as something a test can wait on. Nothing is lost between two waits.
import type { WebSocket } from 'ws';
import type { CallView } from './roomline-client.ts';

export type Hello = { type: 'hello'; cursor: number; calls: CallView[] };
/** Who answers calls, as far as that has changed. */
export type PresenceNotice = {
  type: 'presence';
  agents: { agent_id: string; presence: string; calls: number }[];
};
export type CallNotice = {
  type: 'ring' | 'claim' | 'call';
  id: number;
  at: string;
  /** The timeline entry that this is about. */
  event: string;
  call: CallView;
  /** When it arrived here, by this machine's clock in ms. */
  receivedAtMs: number;
};

type Waiter = { matches: (notice: CallNotice) => boolean; resolve: (notice: CallNotice) => void };

const OPEN_MS_MAX = 10_000;

/** See the head of this file. */
export class EventStream {
  readonly socket: WebSocket;
  hello: Hello | undefined;
  /** Everything received so far, oldest first. */
  readonly seen: CallNotice[] = [];
  /** The latest that was said of each agent. */
  readonly presences = new Map<string, string>();
  /** Called with each as it comes. */
  onNotice: (notice: CallNotice) => void = () => {};
  #waiters: Waiter[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
  }

  /** @throws Error when the socket does not open or says nothing */
  static open(socket: WebSocket): Promise<EventStream> {
    const stream = new EventStream(socket);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no hello on /v1/events')), OPEN_MS_MAX);
      socket.once('error', reject);
      socket.once('close', (code, reason) =>
        reject(new Error(`/v1/events closed: ${code} ${String(reason)}`)),
      );
      socket.on('message', (data: Buffer) => {
        const text = data.toString();
        if (text === 'pong') return;
        const frame = JSON.parse(text) as Hello | CallNotice | PresenceNotice;
        if (frame.type === 'presence') {
          for (const { agent_id, presence } of frame.agents)
            stream.presences.set(agent_id, presence);
        } else if (frame.type === 'hello') {
          stream.hello = frame;
          clearTimeout(timer);
          resolve(stream);
        } else {
          stream.#take({ ...frame, receivedAtMs: Date.now() });
        }
      });
    });
  }

  #take(notice: CallNotice): void {
    this.seen.push(notice);
    this.onNotice(notice);
    const matched = this.#waiters.filter((waiter) => waiter.matches(notice));
    this.#waiters = this.#waiters.filter((waiter) => !matched.includes(waiter));
    for (const waiter of matched) waiter.resolve(notice);
  }

  /**
   * The first event that matches, past or future.
   *
   * @throws Error listing what came instead after `timeoutMs`
   */
  first(
    what: string,
    matches: (notice: CallNotice) => boolean,
    timeoutMs = 15_000,
  ): Promise<CallNotice> {
    const past = this.seen.find(matches);
    if (past) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const came = this.seen
          .slice(-12)
          .map(({ type, call }) => `${type} ${call.id} ${call.state}`);
        reject(new Error(`no ${what} within ${timeoutMs} ms; came: ${came.join(', ') || '-'}`));
      }, timeoutMs);
      this.#waiters.push({
        matches,
        resolve: (notice) => {
          clearTimeout(timer);
          resolve(notice);
        },
      });
    });
  }

  /** Waits until a caller's call rings. */
  ring(callerPhone: string, timeoutMs?: number): Promise<CallNotice> {
    const matches = ({ type, call }: CallNotice) =>
      type === 'ring' && call.contact?.phone === callerPhone;
    return this.first(`ring from ${callerPhone}`, matches, timeoutMs);
  }

  /** Waits until a call is in this state. */
  state(callId: string, state: string, timeoutMs?: number): Promise<CallNotice> {
    const matches = ({ call }: CallNotice) => call.id === callId && call.state === state;
    return this.first(`call ${callId} in state ${state}`, matches, timeoutMs);
  }

  close(): void {
    this.socket.close();
  }
}
