// Every way in which a schedule disturbs the world. Each is counted when it has really happened.

/** Hits the next operations of its class. */
export const ARMED = {
  'webhook-doubled': 'webhook',
  'webhook-delayed': 'webhook',
  'webhook-dropped': 'webhook',
  'webhook-lost': 'webhook',
  'webhook-reply-lost': 'webhook',
  'graph-5xx': 'graph',
  'graph-429': 'graph',
  'graph-unreachable': 'graph',
  'graph-success-false': 'graph',
  'graph-acted-success-false': 'graph',
  'graph-acted-no-reply': 'graph',
  'graph-acted-late-reply': 'graph',
  'graph-acts-late': 'graph',
  'room-5xx': 'room',
  'room-acted-no-reply': 'room',
  'room-acts-late': 'room',
  'message-no-reply': 'message',
  'message-refused': 'message',
  'record-job-fails': 'record',
  'd1-fails-before-storing': 'commit',
  'd1-fails-after-storing': 'commit',
  'd1-slow': 'commit',
  'd1-read-fails': 'read',
  'relay-event-late': 'event',
  'relay-event-doubled': 'event',
  'relay-event-cut-off': 'event',
  'relay-frame-cut-off': 'frame',
  'relay-answers-late': 'take',
  'alarm-late': 'alarm',
  'switchboard-dies-storing': 'commit',
  'switchboard-dies-stored': 'commit',
} as const;
export type ArmedFault = keyof typeof ARMED;
export type FaultClass = (typeof ARMED)[ArmedFault];
type FaultOf<C extends FaultClass> = {
  [F in ArmedFault]: (typeof ARMED)[F] extends C ? F : never;
}[ArmedFault];

/** What these disturb is disturbed for as long as they are late. */
const LATE: ReadonlySet<ArmedFault> = new Set([
  'webhook-delayed',
  'graph-acted-late-reply',
  'graph-acts-late',
  'room-acts-late',
  'relay-event-late',
  'relay-answers-late',
]);

/** Happens at its moment. */
export const DISRUPTIONS = [
  'switchboard-evicted',
  'switchboard-restarted',
  'switchboard-doubled',
  'relay-socket-breaks',
  'relay-restarts',
  'relay-dies',
  'relay-goes-silent',
  'relay-drains',
  'd1-away',
  'livekit-restarts',
  'room-deleted-by-hand',
  'caller-removed-by-hand',
] as const;
export type Disruption = (typeof DISRUPTIONS)[number];
export type Fault = ArmedFault | Disruption;

/** Things that people do at an awkward moment, and limits that are met; counted like faults. */
export const SITUATIONS = [
  'claims-at-once',
  'claim-and-hang-up-at-once',
  'end-requested',
  'sound-steered',
  'people-acted',
  'announcement-failed',
  'dials-at-once',
  'ring-declined',
  'ring-unanswered',
  'waited-in-queue',
  'taken-from-queue',
  'key-decided',
  'voicemail-left',
  'endpoint-decided',
  'no-relay',
  'outdated-writer-fenced',
  'outdated-writer-stored',
  'reply-after-lease',
  'room-resurrected',
] as const;
export type Situation = (typeof SITUATIONS)[number];

export const EVERYTHING: readonly (Fault | Situation)[] = [
  ...(Object.keys(ARMED) as ArmedFault[]),
  ...DISRUPTIONS,
  ...SITUATIONS,
];

export class Faults {
  readonly happened = new Map<string, number>();
  /** When the world was last disturbed, in simulated ms. */
  lastAtMs = -Infinity;
  readonly #armed = new Map<FaultClass, { fault: ArmedFault; ms: number }[]>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param ms how late, where the fault is about being late */
  arm(fault: ArmedFault, ms: number): void {
    const armed = this.#armed.get(ARMED[fault]) ?? [];
    this.#armed.set(ARMED[fault], [...armed, { fault, ms }]);
  }

  /** What hits this operation; counted as happened. */
  next<C extends FaultClass>(of: C): { fault: FaultOf<C>; ms: number } | null {
    const next = this.#armed.get(of)?.shift();
    if (!next) return null;
    this.note(next.fault);
    if (LATE.has(next.fault)) this.disturb(this.#now() + next.ms);
    // `arm` puts a fault under its own class, which is what makes the cast sound.
    return next as { fault: FaultOf<C>; ms: number };
  }

  note(what: Fault | Situation): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1);
    if (!(SITUATIONS as readonly string[]).includes(what)) this.disturb(this.#now());
  }

  /** The world is disturbed until then. */
  disturb(untilMs: number): void {
    this.lastAtMs = Math.max(this.lastAtMs, untilMs);
  }

  /** From now on nothing goes wrong. */
  stop(): void {
    this.#armed.clear();
    this.disturb(this.#now());
  }
}
