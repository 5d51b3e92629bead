// A TCP proxy on loopback whose connections can be cut, as a network or a load balancer does.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export class TcpProxy {
  /** `true` breaks new connections as well. */
  isClosed = false;
  readonly #server = createServer((client) => this.#pass(client));
  readonly #port: number;
  readonly #sockets = new Set<Socket>();

  private constructor(port: number) {
    this.#port = port;
  }

  /** @param target address whose port on loopback gets the connections */
  static async start(target: string): Promise<TcpProxy> {
    const proxy = new TcpProxy(Number(new URL(target).port));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** WebSocket address of this proxy. */
  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  #pass(client: Socket): void {
    if (this.isClosed) {
      client.destroy();
      return;
    }
    const server = connect(this.#port, '127.0.0.1');
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.pipe(server);
    server.pipe(client);
  }
}
