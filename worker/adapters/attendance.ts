// What agents say of themselves and when they were last busy, in the Switchboard's own storage: written with every ring and every
// call, and worth nothing to anybody later.
import type { Attendance, AttendanceBook } from '../front-desk.ts';

const PREFIX = 'agent:';

export const createAttendance = (kv: SyncKvStorage): AttendanceBook => ({
  get: (agentId) => kv.get<Attendance>(PREFIX + agentId) ?? null,
  put: (agentId, attendance) => kv.put(PREFIX + agentId, attendance),
});
