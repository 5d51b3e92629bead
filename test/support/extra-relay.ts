// Another relay of a running stack: registered by the API as its operator would, on ports of its own, ended and started at will.
import { randomBytes } from 'node:crypto';
import { freePorts } from '../local/ports.ts';
import type { Child } from '../local/processes.ts';
import { recordingsFolder, startRelay, type RelayPlace } from './stack-parts.ts';
import type { Stack } from './stack.ts';

/** How it differs from the relay that the stack has. */
export type ExtraRelayOptions = {
  /** Calls at once in each process, which is also how many UDP ports each gets. */
  capacity: number;
  /** One unless given. */
  processes?: number;
  /** Another way to the worker than the direct one. */
  workerUrl?: string;
  /** More of its environment. */
  env?: Readonly<Record<string, string>>;
};

/** See the head of this file. */
export class ExtraRelay {
  readonly id: string;
  child: Child;
  readonly #stack: Stack;
  readonly #place: RelayPlace;
  readonly #secret: string;

  private constructor(
    stack: Stack,
    place: RelayPlace,
    credentials: { id: string; secret: string },
    child: Child,
  ) {
    this.#stack = stack;
    this.#place = place;
    this.id = credentials.id;
    this.#secret = credentials.secret;
    this.child = child;
  }

  /** Resolves once the worker has welcomed it. It stops with the stack. */
  static async start(
    stack: Stack,
    { capacity, processes = 1, workerUrl = stack.admin.baseUrl, env = {} }: ExtraRelayOptions,
  ): Promise<ExtraRelay> {
    const credentials = await stack.admin.createRelay(`relay-${randomBytes(3).toString('hex')}`);
    const ports = capacity * processes;
    const httpPort = await freePorts(1 + ports);
    const udpPorts = `${httpPort + 1}-${httpPort + ports}`;
    const recordings = { RELAY_RECORDINGS_DIR: recordingsFolder(stack.options.stateFolder) };
    const place: RelayPlace = {
      name: credentials.id,
      workerUrl,
      httpPort,
      udpPorts,
      capacity,
      processes,
      env: { ...recordings, ...env },
    };
    const child = await startRelay(stack.supervisor, place, credentials);
    return new ExtraRelay(stack, place, credentials, child);
  }

  /** Starts it again, after it was stopped or killed. */
  async startAgain(): Promise<void> {
    const credentials = { id: this.id, secret: this.#secret };
    this.child = await startRelay(this.#stack.supervisor, this.#place, credentials);
  }
}
