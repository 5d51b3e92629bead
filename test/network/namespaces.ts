// Network namespaces with a real NAT between them, by the kernel's own tools. Linux only, and only for root.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Where the relay's side is. Spec: RFC 1918, and RFC 5737 for the side that stands for the internet. */
export const INSIDE = '10.77.1.2';
export const NAT = '198.51.100.1';
export const OUTSIDE = '198.51.100.2';

/** What no mapping leads to is dropped; mapped ports are chosen at random, so that none is the one inside. */
const RULES = `
table ip nat {
  chain leaving { type nat hook postrouting priority 100; oifname "wan" masquerade random; }
}
table ip filter {
  chain passing {
    type filter hook forward priority 0; policy drop;
    iifname "lan" accept;
    ct state established,related accept;
  }
}`;

const run = (command: string, args: readonly string[], input = ''): string =>
  execFileSync(command, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] });

/** Why there can be no namespaces here; undefined when there can. */
export function whyNoNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'they need Linux';
  if (process.getuid?.() !== 0) return 'they need root';
  const name = `roomline-try-${process.pid}`;
  try {
    run('ip', ['netns', 'add', name]);
    run('ip', ['netns', 'exec', name, 'nft', '-f', '-'], RULES);
    return undefined;
  } catch (error) {
    return `they need ip and nft (Debian: apt-get install iproute2 nftables) and the right to use them: ${String(error).split('\n')[0]}`;
  } finally {
    if (existsSync(`/run/netns/${name}`)) run('ip', ['netns', 'delete', name]);
  }
}

/** Two networks and a NAT between them: from `inside` one can speak to `outside`, and the other way only in reply. */
export class Namespaces {
  readonly inside = `roomline-in-${process.pid}`;
  readonly outside = `roomline-out-${process.pid}`;
  readonly #nat = `roomline-nat-${process.pid}`;

  constructor() {
    for (const name of [this.inside, this.#nat, this.outside]) {
      run('ip', ['netns', 'add', name]);
      run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    }
    this.#connect([this.inside, 'in', INSIDE], [this.#nat, 'lan', '10.77.1.1']);
    this.#connect([this.outside, 'out', OUTSIDE], [this.#nat, 'wan', NAT]);
    run('ip', ['-n', this.inside, 'route', 'add', 'default', 'via', '10.77.1.1']);
    run('ip', ['netns', 'exec', this.#nat, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
    run('ip', ['netns', 'exec', this.#nat, 'nft', '-f', '-'], RULES);
  }

  delete(): void {
    for (const name of [this.inside, this.#nat, this.outside]) run('ip', ['netns', 'delete', name]);
  }

  #connect(...ends: [first: LinkEnd, second: LinkEnd]): void {
    const [[first, firstLink], [second, secondLink]] = ends;
    const peer = ['peer', 'name', secondLink, 'netns', second];
    run('ip', ['link', 'add', firstLink, 'netns', first, 'type', 'veth', ...peer]);
    for (const [name, link, address] of ends) {
      run('ip', ['-n', name, 'address', 'add', `${address}/24`, 'dev', link]);
      run('ip', ['-n', name, 'link', 'set', link, 'up']);
    }
  }
}

type LinkEnd = readonly [namespace: string, link: string, address: string];
