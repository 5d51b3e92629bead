// Who the caller hears. Fail-closed: nobody is heard whom a signed attribute or the wanted state does not admit.

/** Who the caller hears besides agents; `relay/protocol.ts` says what the lists mean. */
export type Audience = { readonly named: readonly string[]; readonly excluded: readonly string[] };

/** Nobody but agents. */
export const AGENTS_ONLY: Audience = { named: [], excluded: [] };

/**
 * Whether the caller hears a participant. Being excluded wins over being named.
 *
 * @param attributes those that the server reports; join tokens sign them and grant nobody the right to change them
 */
export function isHeard(
  audience: Audience,
  identity: string,
  attributes: Readonly<Record<string, string>>,
): boolean {
  if (audience.excluded.includes(identity)) return false;
  return audience.named.includes(identity) || attributes['roomline.role'] === 'agent';
}
