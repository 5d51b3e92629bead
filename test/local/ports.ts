// Finds free ports, and says who holds one that is taken. Loopback only.
import { createSocket } from 'node:dgram';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const HOST = '127.0.0.1';

/** True when nothing listens on this TCP port of the loopback interface. */
export function isTcpPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** True when nothing is bound to this UDP port of the loopback interface. */
export function isUdpPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: HOST, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

// Spec: Linux hands out 32768-60999 and IANA suggests 49152-65535 for outgoing connections; below them nobody gets a port by
// chance between our look and our use.
const SEARCH_FROM = 12_000;
const SEARCH_TO = 32_000;
const SEARCH_ATTEMPTS_MAX = 200;

/**
 * Finds `count` neighbouring ports that are free for TCP and UDP at this moment.
 *
 * @returns the first of them; the caller should bind soon
 */
export async function freePorts(count = 1): Promise<number> {
  for (let attempt = 0; attempt < SEARCH_ATTEMPTS_MAX; attempt++) {
    const first = SEARCH_FROM + Math.floor(Math.random() * (SEARCH_TO - SEARCH_FROM - count));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    const free = await Promise.all(
      ports.map(async (port) => (await isTcpPortFree(port)) && (await isUdpPortFree(port))),
    );
    if (free.every(Boolean)) return first;
  }
  throw new Error(`no ${count} neighbouring free ports between ${SEARCH_FROM} and ${SEARCH_TO}`);
}

/**
 * Names the process that listens on a TCP port, as far as this user may know.
 *
 * @returns such as `node main.ts (pid 4711)`; undefined on other systems than Linux or when it belongs to somebody else
 */
export async function holderOfTcpPort(port: number): Promise<string | undefined> {
  try {
    const inode = await listeningInode(port);
    return inode && (await processWithSocket(inode));
  } catch {
    return undefined;
  }
}

// Spec: proc(5), /proc/net/tcp: local address as hex ip:port, state 0A is LISTEN, the tenth column is the inode.
async function listeningInode(port: number): Promise<string | undefined> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of (await readFile(table, 'utf8').catch(() => '')).split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[1]?.endsWith(suffix) && columns[3] === '0A') return columns[9];
    }
  }
  return undefined;
}

async function processWithSocket(inode: string): Promise<string | undefined> {
  const wanted = `socket:[${inode}]`;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const fd of fds) {
      const link = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => '');
      if (link === wanted) {
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
        const [program = '', argument = ''] = command.map((part) => basename(part));
        // Of an interpreter, what it runs says more than its own name.
        const name = argument.includes('.') ? `${program} ${argument}` : program;
        return `${name} (pid ${pid})`;
      }
    }
  }
  return undefined;
}

/** How often a condition is looked at again, in ms. */
const POLL_MS = 50;

/**
 * Waits until a condition holds, for things that cannot announce themselves, such as another process's port.
 *
 * @throws Error naming `what` after `timeoutMs`
 */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  isTrue: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadlineMs) throw new Error(`${what}: not within ${timeoutMs / 1000} s`);
    await delay(POLL_MS);
  }
}
