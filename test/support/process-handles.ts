// What a process holds of the system: files, threads, UDP ports. From /proc (Linux only).
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export type Handles = {
  /** Open files and sockets. */
  readonly fds: number;
  readonly threads: number;
  /** Local ports of its UDP sockets, in order. */
  readonly udpPorts: readonly number[];
};

/** @param pid a process of this user, or `self` */
export function handlesOf(pid: number | 'self'): Handles {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`));
  const inodes = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  return {
    // The one that lists the folder is gone by now.
    fds: links.filter((link) => link !== '').length,
    threads: readdirSync(`/proc/${pid}/task`).length,
    udpPorts: ['udp', 'udp6']
      .flatMap((table) => portsIn(`/proc/${pid}/net/${table}`, inodes))
      .toSorted((a, b) => a - b),
  };
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

// Spec: proc(5), /proc/net/udp: the second column is the local address as hex ip:port, the tenth the inode.
function portsIn(table: string, inodes: ReadonlySet<string>): number[] {
  return readFileSync(table, 'utf8')
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => inodes.has(columns[9] ?? ''))
    .map((columns) => parseInt(columns[1]?.split(':')[1] ?? '', 16));
}
