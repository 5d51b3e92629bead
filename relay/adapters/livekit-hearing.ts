// Keeps the caller's subscriptions equal to the audience, and says who is ready. A packet of a track that is not wanted at
// this moment goes nowhere, whatever the server still sends.
import { heardAiName, isHeard, type Audience } from '../domain/audience.ts';
import { PEOPLE_MAX, TRACKS_MAX, type Person } from '../domain/room-people.ts';

export type HearingHandlers = {
  subscribe: (wanted: boolean, participantSid: string, trackSid: string) => void;
  onSkipped: (identity: string) => void;
  onReady: (identity: string, aiName: string | undefined) => void;
  onAudio: (source: number, bytes: Uint8Array) => void;
  onSpeaking: (source: number, isSpeaking: boolean) => void;
  onSourceGone: (source: number) => void;
};

type Subscription = {
  readonly identity: string;
  readonly aiName: string | undefined;
  readonly participantSid: string;
  readonly isMicrophone: boolean;
  /** Set once the server has put the track on a section. */
  source: number | undefined;
};

/** Of all rooms together, so that a source of one connection is never taken for one of the next. */
let sources = 0;

export class Hearing {
  readonly #handlers: HearingHandlers;
  #audience: Audience;
  /** By track sid. */
  readonly #subscriptions = new Map<string, Subscription>();
  /** Section to track sid, by the server's last answer. */
  readonly #trackByMid = new Map<string, string>();
  /** Section to source, looked up for every packet. */
  readonly #sourceByMid = new Map<string, number>();
  readonly #skipped = new Set<string>();
  readonly #ready = new Set<string>();
  /** Participants who speak, by sid; `undefined` until the server has said something. */
  #speakers: Set<string> | undefined;
  #isCallerHeard = false;

  constructor(audience: Audience, handlers: HearingHandlers) {
    this.#audience = audience;
    this.#handlers = handlers;
  }

  setAudience(audience: Audience, people: Iterable<Person>): void {
    this.#audience = audience;
    this.review(people);
  }

  /** Somebody has subscribed the caller's track. */
  callerIsHeard(people: Iterable<Person>): void {
    this.#isCallerHeard = true;
    this.review(people);
  }

  /** Brings subscriptions and readiness up to date with who is there and what they publish. */
  review(people: Iterable<Person>): void {
    const wanted = new Map<string, { person: Person; isMicrophone: boolean }>();
    for (const person of people) {
      const mayBeHeard = isHeard(this.#audience, person);
      if (!mayBeHeard) {
        this.#ready.delete(person.identity);
        if (person.tracks.length > 0 && !this.#skipped.has(person.identity)) {
          this.#skipped.add(person.identity);
          this.#handlers.onSkipped(person.identity);
        }
        continue;
      }
      for (const { sid, isMicrophone } of person.tracks) wanted.set(sid, { person, isMicrophone });
    }
    for (const trackSid of this.#subscriptions.keys()) {
      if (!wanted.has(trackSid)) this.#drop(trackSid);
    }
    for (const [trackSid, { person, isMicrophone }] of wanted) {
      if (this.#subscriptions.has(trackSid) || this.#subscriptions.size >= TRACKS_MAX) continue;
      this.#subscriptions.set(trackSid, {
        identity: person.identity,
        aiName: heardAiName(this.#audience, person),
        participantSid: person.sid,
        isMicrophone,
        source: undefined,
      });
      this.#handlers.subscribe(true, person.sid, trackSid);
    }
    this.#bind();
  }

  /** The server's answer says which track is on which section. */
  assign(mid: string, trackSid: string, people: Iterable<Person>): void {
    if ((this.#trackByMid.get(mid) ?? '') === trackSid) return;
    this.#release(mid);
    if (trackSid === '') this.#trackByMid.delete(mid);
    else this.#trackByMid.set(mid, trackSid);
    this.review(people);
  }

  /** The server says who has begun or ceased to speak. */
  setSpeakers(changes: readonly { readonly sid: string; readonly active: boolean }[]): void {
    this.#speakers ??= new Set();
    for (const { sid, active } of changes) {
      if (!active) this.#speakers.delete(sid);
      else if (this.#speakers.size < PEOPLE_MAX) this.#speakers.add(sid);
    }
    for (const subscription of this.#subscriptions.values()) this.#tellSpeaking(subscription);
  }

  /** Whether the caller hears this person. */
  admits(person: Person): boolean {
    return isHeard(this.#audience, person);
  }

  /** One packet of a section. */
  packet(mid: string, bytes: Uint8Array): void {
    const source = this.#sourceByMid.get(mid);
    if (source !== undefined) this.#handlers.onAudio(source, bytes);
  }

  /** A participant has left; a return starts afresh. */
  gone(identity: string): void {
    this.#skipped.delete(identity);
    this.#ready.delete(identity);
  }

  /** The connection is over: nobody is heard over it any more. */
  end(): void {
    for (const mid of this.#sourceByMid.keys()) this.#release(mid);
  }

  /** Gives every wanted track that is on a section its source, and says who has become ready. */
  #bind(): void {
    for (const [mid, trackSid] of this.#trackByMid) {
      const subscription = this.#subscriptions.get(trackSid);
      if (!subscription || this.#sourceByMid.has(mid)) continue;
      sources += 1;
      subscription.source = sources;
      this.#sourceByMid.set(mid, sources);
      this.#tellSpeaking(subscription);
    }
    if (!this.#isCallerHeard) return;
    for (const { identity, aiName, isMicrophone, source } of this.#subscriptions.values()) {
      if (!isMicrophone || source === undefined || this.#ready.has(identity)) continue;
      this.#ready.add(identity);
      this.#handlers.onReady(identity, aiName);
    }
  }

  #tellSpeaking({ source, participantSid }: Subscription): void {
    if (source === undefined || !this.#speakers) return;
    this.#handlers.onSpeaking(source, this.#speakers.has(participantSid));
  }

  #drop(trackSid: string): void {
    const subscription = this.#subscriptions.get(trackSid);
    if (!subscription) return;
    this.#subscriptions.delete(trackSid);
    this.#handlers.subscribe(false, subscription.participantSid, trackSid);
    for (const [mid, assigned] of this.#trackByMid) if (assigned === trackSid) this.#release(mid);
  }

  #release(mid: string): void {
    const source = this.#sourceByMid.get(mid);
    if (source === undefined) return;
    this.#sourceByMid.delete(mid);
    this.#handlers.onSourceGone(source);
  }
}
