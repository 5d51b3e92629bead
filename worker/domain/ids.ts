// Branded ids. Pure: the random or hashed part is made by the caller and handed in.

export type CallId = string & { readonly __brand: 'CallId' };
export type NumberId = string & { readonly __brand: 'NumberId' };
export type ContactId = string & { readonly __brand: 'ContactId' };
export type AgentId = string & { readonly __brand: 'AgentId' };
/** A relay, or one of several processes of it: `ID.1`, `ID.2` and so on. */
export type RelayId = string & { readonly __brand: 'RelayId' };
export type PromptId = string & { readonly __brand: 'PromptId' };

/** The LiveKit room of a call: one per call, for its whole life. */
export const roomOfCall = (id: CallId): string => `call-${id}`;

/** Identity of the caller in the room of their call. Holds no personal data, because servers log identities. */
export const callerIdentity = (id: CallId): string => `caller-${id}`;

/** Identity of an agent in any room. Stable, so that a reloaded page returns as the same participant. */
export const agentIdentity = (id: AgentId): string => `agent-${id}`;

/** Null for everybody else in a room. */
export const agentOfIdentity = (identity: string): AgentId | null =>
  identity.startsWith('agent-') ? (identity.slice('agent-'.length) as AgentId) : null;

/** The relay that a process belongs to, which is what was registered; ids that are registered have no dot. */
export const relayOf = (id: string): RelayId => id.replace(/\.\d+$/, '') as RelayId;
