// Connections whose key or secret is not valid any more.

// Spec: RFC 6455 section 7.4.1, 1008: a message that violates the policy of the endpoint.
const CLOSE_POLICY = 1008;

/** @param tag with which the sockets of one agent or one relay were accepted */
export function closeRevoked(ctx: Pick<DurableObjectState, 'getWebSockets'>, tag: string): void {
  for (const socket of ctx.getWebSockets(tag)) {
    socket.close(CLOSE_POLICY, 'the key is not valid any more');
  }
}
