// Everything that the HTTP faces of the simulator work on, in one object.
import type { GraphRecord, Limits } from './call.ts';
import type { Calls } from './calls.ts';
import type { MovableClock } from './clock.ts';
import type { FaultBox } from './faults.ts';
import type { MessageDesk } from './message-desk.ts';
import type { App, Numbers } from './numbers.ts';
import type { PermissionDesk } from './permission-desk.ts';
import type { Users } from './users.ts';

export type Platform = {
  /** ms since the epoch, monotonic: webhooks, calls and media. */
  readonly now: () => number;
  /** Permissions, windows, restrictions and daily limits. */
  readonly clock: MovableClock;
  readonly numbers: Numbers;
  readonly users: Users;
  readonly calls: Calls;
  readonly permissions: PermissionDesk;
  readonly messages: MessageDesk;
  /** Faults of all calls and requests. */
  readonly faults: FaultBox;
  /** Requests to `/calls` that named no known call. */
  readonly strays: GraphRecord[];
  readonly limits: Limits;
  /** IPv4 address for media. */
  readonly mediaBind: string;
  readonly app: App;
};
