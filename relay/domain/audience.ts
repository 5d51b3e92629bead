// Who the caller hears. Fail-closed: nobody is heard whom a signed attribute or the wanted state does not admit.

/** Who the caller hears besides agents; `relay/protocol.ts` says what each field means. */
export type Audience = {
  readonly named: readonly string[];
  readonly excluded: readonly string[];
  readonly ai: boolean;
  readonly everyone: boolean;
};

/** Nobody but people whose role is agent. */
export const AGENTS_ONLY: Audience = { named: [], excluded: [], ai: false, everyone: false };

/** What decides whether a participant is heard, as the server reports it. */
export type Listed = {
  readonly identity: string;
  /** Join tokens sign them and grant nobody the right to change them. */
  readonly attributes: Readonly<Record<string, string>>;
  /** The server's kind AGENT, which a token of its own grants. */
  readonly isAi: boolean;
};

/** Provider: livekit-server from 1.9.2 on writes the name that an AI agent is registered by into its token. */
const AI_NAME = 'lk.agent_name';

/** The name of an AI agent, empty where the server tells none; `undefined` for people. */
export const aiNameOf = ({ isAi, attributes }: Listed): string | undefined =>
  isAi ? (attributes[AI_NAME] ?? '') : undefined;

/** The same of somebody who is heard as an AI agent and for no other reason. */
export const heardAiName = (audience: Audience, person: Listed): string | undefined =>
  isHeard({ ...audience, ai: false }, person) ? undefined : aiNameOf(person);

/** Whether the caller hears a participant. Being excluded wins over everything else. */
export function isHeard(audience: Audience, { identity, attributes, isAi }: Listed): boolean {
  if (audience.excluded.includes(identity)) return false;
  if (audience.everyone || audience.named.includes(identity)) return true;
  return (audience.ai && isAi) || attributes['roomline.role'] === 'agent';
}
