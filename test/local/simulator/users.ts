// The WhatsApp users of the simulator and how their phones behave when a business calls.
import { createHmac, randomBytes } from 'node:crypto';
import { PHONE_DEFAULTS, type PhonePreset } from './phone-preset.ts';
import type { Caller } from './wire.ts';

/** A person with WhatsApp. */
export type User = Caller & {
  readonly preset: PhonePreset;
  /** The number is known here but withheld in everything the business sees. */
  readonly isHidden?: boolean;
};

/** The user as webhooks and answers may show them. */
export function shownOf({ from, name, username, userId, isHidden }: User): Caller {
  return { from: isHidden ? undefined : from, name, username, userId };
}

/** What a user is called who was not given a name. */
export const DEFAULT_NAME = 'Ana Sample';

/** Everybody who called, was called, or was described through the control API. */
export class Users {
  #defaults: PhonePreset = PHONE_DEFAULTS;
  readonly #users = new Map<string, User>();

  /** What phones do that were not described one by one. */
  get defaults(): PhonePreset {
    return this.#defaults;
  }

  /** Changes the defaults; phones that were described keep their own. */
  setDefaults(change: PhonePreset): PhonePreset {
    this.#defaults = { ...this.#defaults, ...change };
    return this.#defaults;
  }

  list(): User[] {
    return [...this.#users.values()];
  }

  /** The user with this number, in either spelling; everybody has WhatsApp unless described otherwise. */
  byPhone(digits: string): User {
    const key = spellingKeyOf(digits);
    const known = this.list().find(({ from }) => from !== undefined && spellingKeyOf(from) === key);
    return (
      known ??
      this.#keep({
        from: digits,
        name: DEFAULT_NAME,
        username: undefined,
        userId: userIdFor(digits),
        preset: {},
      })
    );
  }

  /** By business-scoped user id; one that the simulator never gave out belongs to nobody. */
  byUserId(userId: string): User | undefined {
    return this.#users.get(userId);
  }

  /** A number or a business-scoped user id, as the control API takes them. */
  find(id: string): User | undefined {
    return /^\d{1,15}$/.test(id) ? this.byPhone(id) : this.byUserId(id);
  }

  /** Remembers who takes part in a call, under the names that the call shows. */
  register(caller: Caller): User {
    const known = caller.from === undefined ? undefined : this.byPhone(caller.from);
    if (known && known.userId !== caller.userId) this.#users.delete(known.userId);
    const before = known ?? this.#users.get(caller.userId) ?? { from: undefined, preset: {} };
    return this.#keep({ ...before, ...caller, from: caller.from ?? before.from });
  }

  /** Changes who a user is or what the phone does; what is left out stays. */
  describe(user: User, change: Partial<User>): User {
    if (change.userId !== undefined && change.userId !== user.userId) {
      this.#users.delete(user.userId);
    }
    const preset = { ...user.preset, ...change.preset };
    return this.#keep({ ...user, ...change, preset });
  }

  /** Forgets what was described; the user stays. */
  reset(user: User): User {
    return this.#keep({ ...user, preset: {} });
  }

  /** What the phone does: its own description over the defaults. */
  presetOf(user: User): PhonePreset {
    return { ...this.#defaults, ...user.preset };
  }

  #keep(user: User): User {
    this.#users.set(user.userId, user);
    return user;
  }
}

/** The same number always gets the same business-scoped id; it shows nothing of the number. */
export function userIdFor(from: string | undefined): string {
  const source = from ?? randomBytes(8).toString('hex');
  const digest = createHmac('sha256', 'bsuid').update(source).digest();
  return `US.${digest.readBigUInt64BE(0).toString().padStart(20, '1')}`;
}

/** Observed: mobile numbers of Brazil and Argentina come with and without an extra 9 for the same person. */
function spellingKeyOf(digits: string): string {
  return digits.replace(/^(55\d\d)9(?=\d{8}$)/, '$1').replace(/^549(?=\d{10}$)/, '54');
}
