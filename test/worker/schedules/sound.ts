// The sound of calls in a schedule: what people ask for, what a relay makes of it, and what must be so. It shares no rule with the
// worker.
import fc from 'fast-check';
import type { CallWant } from '../../../relay/protocol.ts';
import { wanted, type Call, type CallAudio, type CallPolicy } from '../../../worker/domain/call.ts';
import type { AudioCommand } from '../../../worker/domain/call-event.ts';
import type { Random } from '../../bench/random.ts';
import type { MetaCall } from './meta.ts';
import type { Commit } from './record.ts';
import type { Session } from './relay-session.ts';
import type { Simulation } from './simulation.ts';
import type { World } from './world.ts';

/** A prompt that no relay can have. */
export const MISSING = 'missing';
const prompt = fc.constantFrom('prompt', 'prompt', 'sound:hold', MISSING);

/** What is asked for the sound of one call. */
export interface SoundPlan {
  readonly recording: CallPolicy['recording'];
  /** Times in ms after the call was announced or requested. */
  readonly steers: readonly { readonly afterMs: number; readonly command: AudioCommand }[];
  readonly keys: readonly { readonly afterMs: number; readonly digit: string }[];
}

const command: fc.Arbitrary<AudioCommand> = fc.oneof(
  fc.record({
    action: fc.constantFrom(
      'hold',
      'unhold',
      'stop-playing',
      'record',
      'pause-recording',
      'resume-recording',
      'stop-recording',
    ),
  }),
  fc.record({ action: fc.constant('play'), promptId: prompt, isLoop: fc.boolean() }),
);

export const soundPlan = {
  recording: fc.oneof(
    fc.constantFrom(null, null, { announcement: null }),
    fc.record({ announcement: prompt }),
  ),
  steers: fc.array(
    fc.record({ afterMs: fc.oneof(fc.nat(9_000), fc.nat(30_000), fc.nat(70_000)), command }),
    { maxLength: 6, size: 'max' },
  ),
  keys: fc.array(
    fc.record({
      afterMs: fc.oneof(fc.nat(9_000), fc.nat(30_000)),
      digit: fc.constantFrom('1', '2', '7', '*', '#'),
    }),
    { maxLength: 4, size: 'max' },
  ),
} as const;

/** What was decided; a caller is on hold while somebody is consulted. */
export const audioOf = (call: Call | undefined): CallAudio | undefined =>
  call && wanted(call).audio;

/** What a relay is told of the sound is what was decided. */
export const isAsDecided = (want: CallWant, { isHeld, playing, recording }: CallAudio): boolean =>
  want.hold === isHeld &&
  want.recording === recording &&
  want.playing?.id === playing?.id &&
  want.playing?.prompt === playing?.promptId &&
  want.playing?.loop === playing?.isLoop;

/** Plays prompts as a relay does: each once, unless it is a loop, and those that cannot be had not at all. */
export class Player {
  /** What has been said to be over, latest first. */
  overId: number | null = null;
  #presentId: number | null = null;
  readonly #sim: Simulation;
  readonly #random: Random;
  readonly #over: (id: number, isComplete: boolean) => void;

  constructor(sim: Simulation, random: Random, over: (id: number, isComplete: boolean) => void) {
    this.#sim = sim;
    this.#random = random;
    this.#over = over;
  }

  want({ playing, open }: CallWant): void {
    const id = playing?.id ?? null;
    const isThere = playing?.prompt !== MISSING;
    // What is there waits for the opening; what is not is known before.
    if (id === this.#presentId || (isThere && !open)) return;
    this.#presentId = id;
    if (playing === null || id === null) return;
    if (isThere && playing.loop) return;
    this.#sim.after(50 + this.#random.below(isThere ? 5_000 : 500), () => {
      if (this.#presentId !== id) return;
      this.overId = id;
      this.#over(id, isThere);
    });
  }
}

/** What a timeline entry says of the sound after it. Entries that stand here for nothing may not change it. */
const SAYS: Readonly<Record<string, (audio: CallAudio, before: CallAudio) => boolean>> = {
  answered: () => true,
  // Rules bring and end music, and keys the steps of rules.
  step: () => true,
  digit: () => true,
  // What a step was about to do when there was nothing left to do.
  ending: () => true,
  ready: () => true,
  // So does a call that is handed over.
  transferring: () => true,
  'transfer-cancelled': () => true,
  'transfer-failed': () => true,
  'participant-left': () => true,
  'agent-left': () => true,
  consulting: ({ isHeld }) => !isHeld,
  'consultation-failed': ({ isHeld }) => isHeld,
  held: ({ isHeld }) => isHeld,
  'taken-off-hold': ({ isHeld }) => !isHeld,
  playing: ({ playing }, before) => playing !== null && playing.id !== before.playing?.id,
  'playing-stopped': ({ playing }, before) => playing?.id !== before.playing?.id,
  played: ({ playing }, before) => playing?.id !== before.playing?.id,
  'recording-failed': ({ recording }) => recording === 'off',
  'announcement-failed': ({ playing, recording }, before) =>
    playing?.id !== before.playing?.id && recording === 'off',
  'recording-started': ({ recording }) => recording === 'on',
  'recording-paused': ({ recording }) => recording === 'paused',
  'recording-resumed': ({ recording }) => recording === 'on',
  'recording-stopped': ({ recording }) => recording === 'off',
};

/** Entries after which the sound may be as before. */
const MAY_SAY: ReadonlySet<string> = new Set([
  'answered',
  'step',
  'ready',
  'digit',
  'ending',
  'transferring',
  'transfer-cancelled',
  'transfer-failed',
  'participant-left',
  'agent-left',
  'consulting',
  'consultation-failed',
]);

/** @returns what is wrong with the sound of a decision; null for nothing */
export function wrongSound(
  { call, entry }: Pick<Commit, 'call' | 'entry'>,
  last: Commit['call'],
): string | null {
  const says = SAYS[entry.type];
  const isChanged = JSON.stringify(call.audio) !== JSON.stringify(last.audio);
  if (isChanged ? !says?.(call.audio, last.audio) : says && !MAY_SAY.has(entry.type)) {
    return `${entry.type}, yet ${JSON.stringify(call.audio)}`;
  }
  const before = last.audio.playing;
  const wasCutOff = before?.isAnnouncement && call.audio.playing?.id !== before.id;
  const isRecorded = last.audio.recording !== 'off' && call.audio.recording !== 'off';
  if (wasCutOff && isRecorded && entry.type !== 'played') {
    return `${entry.type} cuts the announcement off, and it is recorded`;
  }
  return null;
}

/** How long a relay may do something else than was decided once nothing is wrong any more, in ms: a connection comes back in 5 s. */
const UNTOLD_MS_MAX = 20_000;
/** Since when what a relay has said about a prompt waits to be taken. */
const overSince = new WeakMap<Session, { readonly id: number; readonly atMs: number }>();

/** Once a second for every connected call. */
export function watchSound(world: World, { callId }: MetaCall, sessions: readonly Session[]): void {
  const last = world.record.commits.get(callId)?.at(-1);
  if (last?.call.state !== 'active') return;
  const { nowMs } = world.sim;
  const calmMs = nowMs - Math.max(last.atMs, world.faults.lastAtMs);
  const audio = wanted(last.call).audio;
  for (const session of sessions) {
    if (!session.isUp) continue;
    if (calmMs > UNTOLD_MS_MAX && !session.soundsLike(audio)) {
      world.judge.violated('sounds-otherwise', callId, JSON.stringify(audio));
    }
    const { overId } = session.player;
    if (overId === null || overId !== audio.playing?.id) continue;
    const since = overSince.get(session);
    const atMs = since?.id === overId ? since.atMs : nowMs;
    overSince.set(session, { id: overId, atMs });
    if (Math.min(calmMs, nowMs - atMs) > UNTOLD_MS_MAX) {
      world.judge.violated('plays-for-ever', callId, JSON.stringify(audio.playing));
    }
  }
}
