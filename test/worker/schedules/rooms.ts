// LiveKit as an independent model: rooms, who is in them, who is told what.

export type LeaveReason = 'left' | 'lost' | 'removed';

/** One who is in a room. */
export interface Member {
  readonly identity: string;
  hasMicrophone: boolean;
  /** Somebody else came, published, or went. */
  onJoined?(member: Member): void;
  onPublished?(member: Member): void;
  onLeft?(member: Member, why: LeaveReason): void;
  /** This member was put out. */
  onOut(why: 'room-deleted' | 'removed' | 'server-restarted'): void;
}

export class Rooms {
  readonly #rooms = new Map<string, Map<string, Member>>();
  /** Rooms that were deleted, so that one which comes back is recognised. */
  readonly #deleted = new Set<string>();
  readonly #resurrected: () => void;

  constructor(resurrected: () => void) {
    this.#resurrected = resurrected;
  }

  create(room: string): void {
    if (this.#rooms.has(room)) return;
    if (this.#deleted.has(room)) this.#resurrected();
    this.#rooms.set(room, new Map());
  }

  /** @returns false when there is none */
  delete(room: string): boolean {
    const members = this.#rooms.get(room);
    this.#rooms.delete(room);
    this.#deleted.add(room);
    for (const member of members?.values() ?? []) member.onOut('room-deleted');
    return members !== undefined;
  }

  /** Joining makes the room. Provider: `room.auto_create`, LiveKit server configuration, on unless switched off. */
  join(room: string, member: Member): void {
    this.create(room);
    const members = this.#rooms.get(room) as Map<string, Member>;
    const before = members.get(member.identity);
    if (before === member) return;
    // The same identity again puts the connection before out.
    if (before) {
      this.leave(room, before, 'left');
      before.onOut('removed');
    }
    members.set(member.identity, member);
    for (const other of this.#others(room, member)) other.onJoined?.(member);
    if (member.hasMicrophone) this.publish(room, member);
  }

  publish(room: string, member: Member): void {
    member.hasMicrophone = true;
    if (!this.has(room, member)) return;
    for (const other of this.#others(room, member)) other.onPublished?.(member);
  }

  leave(room: string, member: Member, why: LeaveReason): void {
    if (!this.has(room, member)) return;
    this.#rooms.get(room)?.delete(member.identity);
    for (const other of this.#others(room, member)) other.onLeft?.(member, why);
  }

  /** @returns false when nobody of this name is there */
  remove(room: string, identity: string): boolean {
    const member = this.#rooms.get(room)?.get(identity);
    if (!member) return false;
    this.leave(room, member, 'removed');
    member.onOut('removed');
    return true;
  }

  /** Every room is gone, and everybody has to come again. */
  restart(): void {
    const all = [...this.#rooms.values()].flatMap((members) => [...members.values()]);
    this.#rooms.clear();
    for (const member of all) member.onOut('server-restarted');
  }

  has(room: string, member: Member): boolean {
    return this.#rooms.get(room)?.get(member.identity) === member;
  }

  members(room: string): Member[] {
    return [...(this.#rooms.get(room)?.values() ?? [])];
  }

  names(): string[] {
    return [...this.#rooms.keys()];
  }

  #others(room: string, member: Member): Member[] {
    return this.members(room).filter((other) => other !== member);
  }
}
