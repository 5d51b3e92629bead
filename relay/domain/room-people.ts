// Who is in a room and what they publish, as the server's updates tell it. Pure: an update goes in, what changed comes out.
import type { Listed } from './audience.ts';

/** More people than this are not a call; whoever else is in the room is passed over. */
export const PEOPLE_MAX = 500;

/** More audio tracks than this at once are not a call either. */
export const TRACKS_MAX = 32;

/** Spec: livekit-server's limit for an identity; the worker is told no other. */
const IDENTITY_CHARS_MAX = 256;

/** An audio track of a participant. */
export type AudioTrack = { readonly sid: string; readonly isMicrophone: boolean };

export type Person = Listed & {
  readonly sid: string;
  readonly tracks: readonly AudioTrack[];
};

/** A participant as the server reports it. */
export type PersonUpdate = Person & {
  /** Set once the participant has left: on purpose, because the server lost it, or because somebody removed it. */
  readonly left: 'left' | 'lost' | 'removed' | undefined;
};

export type PeopleChange =
  | { readonly type: 'joined'; readonly identity: string }
  | { readonly type: 'left'; readonly identity: string; readonly why: 'left' | 'lost' | 'removed' };

/** The others in a room, by identity. */
export class People {
  readonly #byIdentity = new Map<string, Person>();

  /** Everybody who is in the room. */
  all(): Iterable<Person> {
    return this.#byIdentity.values();
  }

  /** Whoever has this identity at present. */
  find(identity: string): Person | undefined {
    return this.#byIdentity.get(identity);
  }

  /**
   * Applies one report.
   *
   * An identity that comes back gets a new sid. Its new stay may be reported before the end of the old one: then the old one
   * ends here, and its late report is ignored.
   */
  apply(update: PersonUpdate): PeopleChange[] {
    const { left, ...person } = update;
    const { identity, sid } = person;
    const known = this.#byIdentity.get(identity);
    if (left !== undefined) {
      if (known?.sid !== sid) return [];
      this.#byIdentity.delete(identity);
      return [{ type: 'left', identity, why: left }];
    }
    if (!known && !this.#takes(identity)) return [];
    this.#byIdentity.set(identity, person);
    if (!known) return [{ type: 'joined', identity }];
    if (known.sid === sid) return [];
    return [
      // Whoever leaves on purpose is reported as gone before they come back.
      { type: 'left', identity, why: 'lost' },
      { type: 'joined', identity },
    ];
  }

  #takes(identity: string): boolean {
    const isIdentity = identity.length > 0 && identity.length <= IDENTITY_CHARS_MAX;
    return isIdentity && this.#byIdentity.size < PEOPLE_MAX;
  }
}
