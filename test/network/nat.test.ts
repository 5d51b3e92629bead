// A relay behind a real NAT without a forwarded port, and the provider on the other side, each in a network namespace.
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { FromPhone, FromRelay, ToPhone, ToRelay } from './messages.ts';
import { INSIDE, NAT, Namespaces, OUTSIDE, whyNoNamespaces } from './namespaces.ts';

const missing = whyNoNamespaces();
if (missing !== undefined) console.warn(`Skipped: network namespaces: ${missing}`);

type Message = FromPhone | FromRelay;

/** A script in a namespace, and what it tells. */
class Side<From extends Message, To extends object> {
  readonly #child: ChildProcess;
  readonly #told = new Map<string, PromiseWithResolvers<From>>();

  constructor(namespace: string, script: string) {
    const command = [process.execPath, join(import.meta.dirname, script)];
    this.#child = spawn('ip', ['netns', 'exec', namespace, ...command], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: From) => this.#of(message.type).resolve(message));
    this.#child.once('exit', (code) => {
      for (const { reject } of this.#told.values()) reject(new Error(`${script}: exit ${code}`));
    });
  }

  tell(message: To): void {
    this.#child.send(message);
  }

  async told<Type extends From['type']>(type: Type): Promise<Extract<From, { type: Type }>> {
    return (await this.#of(type).promise) as Extract<From, { type: Type }>;
  }

  /** It ends by itself, and what it has started with it, once nobody talks to it any more. */
  async end(): Promise<void> {
    if (!this.#child.connected) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await gone;
  }

  #of(type: string): PromiseWithResolvers<From> {
    const known = this.#told.get(type) ?? Promise.withResolvers<From>();
    this.#told.set(type, known);
    return known;
  }
}

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

it.skipIf(missing !== undefined)(
  'a call comes about, is heard both ways, and its figures name the address that the NAT has given',
  async () => {
    const networks = new Namespaces();
    cleanups.push(() => networks.delete());
    const relay = new Side<FromRelay, ToRelay>(networks.inside, 'relay-side.ts');
    const phone = new Side<FromPhone, ToPhone>(networks.outside, 'phone-side.ts');
    cleanups.push(
      () => relay.end(),
      () => phone.end(),
    );

    relay.tell({ type: 'offer', sdp: (await phone.told('offer')).sdp });
    const { sdp } = await relay.told('answer');
    expect(sdp).toContain(` ${INSIDE} `);
    phone.tell({ type: 'answer', sdp });
    await phone.told('answer-applied');
    relay.tell({ type: 'enter' });
    await relay.told('ready');
    phone.tell({ type: 'talk' });
    relay.tell({ type: 'open' });
    await Promise.all([phone.told('heard'), relay.told('heard')]);
    relay.tell({ type: 'close' });

    const { path, stats } = await relay.told('over');
    expect(path?.local_type).toBe('prflx');
    expect(path?.local.startsWith(`${NAT}:`)).toBe(true);
    expect(path?.remote.startsWith(`${OUTSIDE}:`)).toBe(true);
    expect(stats?.from_caller.packets).toBeGreaterThan(100);
    expect(stats?.from_caller.lost).toBe(0);
  },
);
