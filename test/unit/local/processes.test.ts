import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { freePorts, holderOfTcpPort, isTcpPortFree } from '../../local/ports.ts';
import { Supervisor, waitForHttp } from '../../local/processes.ts';

let folder: string;
let supervisor: Supervisor;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'roomline-processes-'));
  supervisor = new Supervisor(folder);
});
afterEach(async () => {
  await supervisor.stop();
  await rm(folder, { recursive: true });
});

const script = (name: string, code: string) => ({
  name,
  command: process.execPath,
  args: ['-e', code],
});

/** True while the process exists. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const idle = 'setInterval(() => {}, 1000);';

it('stops in reverse order and leaves no process behind', async () => {
  const order: string[] = [];
  const children = [];
  for (const name of ['first', 'second']) {
    const child = await supervisor.start(script(name, idle));
    void child.exited.then(() => order.push(name));
    children.push(child);
  }
  await supervisor.stop();
  expect(order).toEqual(['second', 'first']);
  expect(children.map((child) => exists(child.pid))).toEqual([false, false]);
});

it('stops what a child has started, too', async () => {
  const port = await freePorts();
  const server = `require('http').createServer((q, s) => s.end()).listen(${port}, '127.0.0.1')`;
  const parent = `require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(server)}]);${idle}`;
  const child = await supervisor.start(script('parent', parent));
  await waitForHttp(child, `http://127.0.0.1:${port}/`, 10_000);
  await supervisor.stop();
  // By its port, not its pid: who collects an orphan, and when, is up to the system.
  await expect.poll(() => isTcpPortFree(port)).toBe(true);
});

it('gives a child the time to stop in order', async () => {
  const code = `process.on('SIGTERM', () => setTimeout(() => process.exit(7), 200));${idle}console.log('up')`;
  const child = await supervisor.start(script('slow', code));
  await expect.poll(() => child.tail()).toBe('up');
  await child.stop();
  expect(await child.exited).toBe('code 7');
});

it('repeats the signal for a program that drains upon the first', async () => {
  const code = `let n = 0; process.on('SIGTERM', () => ++n === 2 && process.exit(5));${idle}console.log('up')`;
  const child = await supervisor.start({ ...script('drains', code), secondSignalAfterMs: 100 });
  await expect.poll(() => child.tail()).toBe('up');
  await child.stop();
  expect(await child.exited).toBe('code 5');
});

it('shows the last lines of a child that dies before it is ready', async () => {
  const child = await supervisor.start(
    script('broken', 'console.error("the reason"); process.exit(3)'),
  );
  await expect(waitForHttp(child, 'http://127.0.0.1:1/', 10_000)).rejects.toThrow(
    /broken stopped \(code 3\)[^]*the reason/,
  );
  expect(await readFile(child.logPath, 'utf8')).toMatch(/broken \| the reason\n$/);
});

it('says that a command does not exist', async () => {
  await expect(
    supervisor.start({ name: 'absent', command: '/no/such/command', args: [] }),
  ).rejects.toThrow(/absent: \/no\/such\/command cannot be started/);
});

it('starts nothing more once it is stopping', async () => {
  await supervisor.stop();
  await expect(supervisor.start(script('late', idle))).rejects.toThrow(/not started/);
});

it('a part that fails to stop does not keep the others from stopping', async () => {
  const child = await supervisor.start(script('kept', idle));
  const said = vi.spyOn(console, 'error').mockReturnValue();
  supervisor.add('bad', async () => {
    throw new Error('expected by this test');
  });
  await supervisor.stop();
  expect(exists(child.pid)).toBe(false);
  expect(said.mock.calls.flat()).toContainEqual(expect.stringContaining('bad did not stop'));
  said.mockRestore();
});

it('finds neighbouring free ports, and who holds a taken one', async () => {
  const port = await freePorts(3);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  expect(await isTcpPortFree(port)).toBe(false);
  expect(await isTcpPortFree(port + 1)).toBe(true);
  if (process.platform === 'linux') {
    expect(await holderOfTcpPort(port)).toContain(`(pid ${process.pid})`);
  }
  server.close();
});
