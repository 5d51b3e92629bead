// Connections whose key or secret is not valid any more.

// Spec: RFC 6455 section 7.4.1, 1008: a message that violates the policy of the endpoint.
export const CLOSE_POLICY = 1008;

/**
 * @param tag with which the sockets of one agent or one relay were accepted
 * @returns the sockets; the other side may take its time to close them too, or never do it
 */
export function closeRevoked(
  ctx: Pick<DurableObjectState, 'getWebSockets'>,
  tag: string,
): readonly WebSocket[] {
  const sockets = ctx.getWebSockets(tag);
  for (const socket of sockets) socket.close(CLOSE_POLICY, 'the key is not valid any more');
  return sockets;
}
