// A TCP path that can be cut without anybody being told, as by a firewall or a lost route: connections stay open and carry
// nothing. Loopback only.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** See the head of this file. */
export class CuttablePath {
  readonly #server = createServer({ allowHalfOpen: true });
  readonly #targetPort: number;
  /** Each connection with the one that continues it; alone if it was opened while the path was cut. */
  readonly #pairs = new Map<Socket, Socket | undefined>();
  #isCut = false;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    this.#server.on('connection', (near) => this.#accept(near));
  }

  /** Leads from a port of its own to `targetPort`. */
  static async start(targetPort: number): Promise<CuttablePath> {
    const path = new CuttablePath(targetPort);
    path.#server.listen(0, '127.0.0.1');
    await once(path.#server, 'listening');
    return path;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on nothing passes, not even the news that one side has closed. New connections lead nowhere. */
  cut(): void {
    this.#isCut = true;
    for (const [near, far] of this.#pairs) {
      if (!far) continue;
      near.unpipe(far).pause();
      far.unpipe(near).pause();
    }
  }

  /** What was held up passes. Connections that were opened meanwhile are closed, as their first packets were lost. */
  mend(): void {
    this.#isCut = false;
    for (const [near, far] of this.#pairs) {
      if (far) join(near, far);
      else near.destroy();
    }
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far?.destroy();
    }
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    near.on('error', () => near.destroy());
    near.once('close', () => {
      this.#pairs.get(near)?.destroy();
      this.#pairs.delete(near);
    });
    if (this.#isCut) {
      this.#pairs.set(near, undefined);
      near.pause();
      return;
    }
    const far = connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true });
    far.on('error', () => near.destroy());
    far.once('close', () => near.destroy());
    this.#pairs.set(near, far);
    join(near, far);
  }
}

function join(near: Socket, far: Socket): void {
  near.pipe(far);
  far.pipe(near);
}
