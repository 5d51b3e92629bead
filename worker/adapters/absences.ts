// Absent relays in the Switchboard's own storage: D1 is the record of calls, and presence is no part of that.
import type { Absence, Absences } from '../ports.ts';

const PREFIX = 'absent:';

export const createAbsences = (kv: SyncKvStorage): Absences => ({
  all: () => [...kv.list<Absence>({ prefix: PREFIX })].map(([, absence]) => absence),
  note: (absence) => kv.put(PREFIX + absence.instance, absence),
  forget: (instance) => void kv.delete(PREFIX + instance),
});
