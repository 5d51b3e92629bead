import { createServer, type Server } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { freePorts } from '../../local/ports.ts';
import { checkPorts, readSettings, type Settings } from '../../local/settings.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  servers.push(server);
}

async function freeSettings(): Promise<Settings> {
  const first = await freePorts(7);
  return {
    ports: {
      worker: first,
      simulator: first + 1,
      relayHttp: first + 2,
      livekit: first + 4,
      relayUdp: '1-2',
    },
    agentPort: first + 3,
    stateFolder: '/nowhere',
  };
}

it('uses the documented ports and one state folder per worker port', () => {
  const { ports, agentPort, stateFolder } = readSettings({ PORT: '' });
  expect({ ...ports, agentPort }).toEqual({
    worker: 8787,
    simulator: 8790,
    agentPort: 8791,
    relayHttp: 8792,
    livekit: 7880,
    relayUdp: '40000-40099',
  });
  expect(stateFolder).toMatch(/\.state.8787$/);
  expect(readSettings({ PORT: '9787' }).stateFolder).toMatch(/\.state.9787$/);
});

it('names every setting that is wrong at once', () => {
  const wrong = () => readSettings({ PORT: 'abc', RELAY_UDP_PORTS: '40000' });
  expect(wrong).toThrow(/PORT: .*; RELAY_UDP_PORTS: expected a range/);
});

it('accepts free ports', async () => {
  await expect(checkPorts(await freeSettings(), false)).resolves.toBeUndefined();
});

it('names each port in use, what it is for, who has it, and the variable that moves it', async () => {
  const settings = await freeSettings();
  await listen(settings.ports.simulator);
  await listen(settings.ports.livekit + 1);
  const failure = await checkPorts(settings, false).catch((error: Error) => error.message);
  const holder = process.platform === 'linux' ? ` by [^(]+ \\(pid ${process.pid}\\)` : '';
  expect(failure).toMatch(
    new RegExp(
      `^Port ${settings.ports.simulator} for the simulator is in use${holder}: .* SIMULATOR_PORT\\.\n` +
        `Port ${settings.ports.livekit + 1} for livekit-server .* LIVEKIT_PORT\\.$`,
    ),
  );
});

it('does not ask for ports of a livekit-server that somebody else runs', async () => {
  const settings = await freeSettings();
  await listen(settings.ports.livekit);
  await expect(checkPorts(settings, true)).resolves.toBeUndefined();
});
