// The record in memory, with the same fence: for schedules that need no database.
import { isSettled, type Call } from '../../../worker/domain/call.ts';
import { OutdatedError, type CallStore } from '../../../worker/ports.ts';

export function createMemoryStore(): CallStore {
  const calls = new Map<string, Call>();
  let cursor = 0;
  return {
    find: async (id) => calls.get(id) ?? null,
    findByProviderCallId: async (numberId, providerCallId) =>
      [...calls.values()].find(
        (call) => call.numberId === numberId && call.providerCallId === providerCallId,
      ) ?? null,
    findLive: async () => [...calls.values()].filter((call) => !isSettled(call)),
    commit: async (call, entry, atMs) => {
      if (call.version !== (calls.get(call.id)?.version ?? 0) + 1)
        throw new OutdatedError('exists');
      calls.set(call.id, call);
      return { ...entry, cursor: ++cursor, callId: call.id, seq: call.version, atMs };
    },
    entriesAfter: async () => [],
    entriesOf: async () => [],
    lastCursor: async () => cursor,
    deleteTombstones: async () => undefined,
  };
}
