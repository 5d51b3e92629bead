// Which side starts DTLS when Meta's answer says actpass and leaves that open.
import type { IceLiteAgent } from './ice-lite.ts';

/** How long after nomination the business may take to start, in ms; a client that will start does so within one round trip. */
const PEER_STARTS_WITHIN_MS = 1000;

/** The role this side must take, and what already arrived while that was open. */
export type StartedDtls = { readonly role: 'server' | 'client'; readonly backlog: Buffer[] };

/**
 * Waits for the business's first handshake record; when none comes, this side starts.
 *
 * Observed: some implementers rewrite actpass to active and become the server, others to passive and stay the client; both
 * work in production, so Meta takes either role.
 */
export async function whoStartsDtls(
  agent: IceLiteAgent,
  waitMs = PEER_STARTS_WITHIN_MS,
): Promise<StartedDtls> {
  const backlog: Buffer[] = [];
  let timer: NodeJS.Timeout | undefined;
  const role = await new Promise<'server' | 'client'>((resolve) => {
    agent.onDatagram = (datagram) => {
      backlog.push(datagram);
      const first = datagram[0] ?? 0;
      // Spec: RFC 7983 section 7: 20-63 is DTLS.
      if (first >= 20 && first <= 63) resolve('server');
    };
    void agent.nominated.then(() => {
      timer = setTimeout(() => resolve('client'), waitMs).unref();
    });
  });
  clearTimeout(timer);
  return { role, backlog };
}
