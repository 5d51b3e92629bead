// What becomes of a call for which there is no port.
import { createSocket, type Socket } from 'node:dgram';
import { expect, it } from 'vitest';
import { createOfferLeg } from '../../relay/adapters/whatsapp-leg.ts';
import type { Log } from '../../relay/ports.ts';

const nothing = () => undefined;
const log: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const handlers = { onUp: nothing, onLost: nothing, onPacket: nothing };

/** A port that another program has. */
async function takePort(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { socket, port: socket.address().port };
}

it('is refused while the process goes on, and has one again once another program gives it back', async () => {
  const { socket, port } = await takePort();
  const offerLeg = createOfferLeg(
    {
      ports: { first: port, last: port },
      bindAddress: '127.0.0.1',
      publicAddress: undefined,
    },
    log,
  );
  const identity = { ssrc: 1, cname: 'c' };
  await expect(offerLeg(identity, handlers)).rejects.toThrow(
    `every UDP port from ${port} to ${port}`,
  );
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  const leg = await offerLeg(identity, handlers);
  expect(leg.sdp).toContain(` ${port} `);
  leg.close();
});
