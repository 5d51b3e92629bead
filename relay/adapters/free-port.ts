// Whether there is a UDP port for one more call. The library must not be asked when there is none: it throws where nobody can
// catch it, and the process ends with all its calls. Observed: node-datachannel 0.33.4, exit code 134.
import { createSocket } from 'node:dgram';
import { randomInt } from 'node:crypto';

/**
 * Looks for a port that can be bound at this moment.
 *
 * @param address local address; every interface without it
 * @throws Error when every port of the range is taken
 */
export async function expectFreePort(
  { first, last }: { readonly first: number; readonly last: number },
  address: string | undefined,
): Promise<void> {
  const count = last - first + 1;
  // The library begins anywhere, too, so most calls find a port at once.
  const start = randomInt(count);
  for (let index = 0; index < count; index++) {
    if (await canBind(first + ((start + index) % count), address)) return;
  }
  throw new Error(`every UDP port from ${first} to ${last} is taken`);
}

function canBind(port: number, address: string | undefined): Promise<boolean> {
  const socket = createSocket(address?.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve) => {
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ port, exclusive: true, ...(address === undefined ? {} : { address }) }, () => {
      socket.close();
      // Closed by now, although nobody was told yet: what follows at once may bind it.
      resolve(true);
    });
  });
}
