// What the provider tells of calls, and whom the business calls, brought to the call book: which call is meant, and whether it may
// begin.
import type { CallBook } from './call-book.ts';
import { isOver, type Call } from './domain/call.ts';
import type { Dial, Offer, Termination } from './domain/call-event.ts';
import type { CallId, ContactId, NumberId } from './domain/ids.ts';
import { matchOutbound, type OutboundNews } from './domain/match-outbound.ts';
import type { CallStore, Contact } from './ports.ts';

/** An event of the provider for the Switchboard, with the contact that an offer may bring. */
export type Delivery =
  | { readonly type: 'offer'; readonly offer: Offer; readonly contact: Contact }
  | { readonly type: 'terminate'; readonly termination: Termination }
  /** `otherwise`: where the provider does not tell the direction and no call of ours is meant. */
  | { readonly type: 'outbound'; readonly news: OutboundNews; readonly otherwise?: Termination };

/** `call`: the call that was made, or was made before by the same request; `conflict`: another call with the same user. */
export interface Dialled {
  readonly call: Call | null;
  readonly conflict: Call | null;
}

export class Intake {
  readonly #book: CallBook;
  readonly #store: Pick<CallStore, 'find' | 'findByProviderCallId'>;
  /** Pairs of number and contact that are being dialled: taken before they are stored. */
  readonly #dialling = new Map<string, { readonly id: CallId; requests: number }>();

  constructor(book: CallBook, store: Pick<CallStore, 'find' | 'findByProviderCallId'>) {
    this.#book = book;
    this.#store = store;
  }

  /**
   * Takes events of one webhook. Returns once all of them are stored; throws if one could not be, so that the provider delivers
   * the webhook again.
   */
  async deliver(deliveries: readonly Delivery[]): Promise<{ foreign: number }> {
    const known = await Promise.all(deliveries.map((delivery) => this.#take(delivery)));
    return { foreign: known.filter((isOurs) => !isOurs).length };
  }

  /** @returns false when the event is about a call of somebody else */
  async #take(delivery: Delivery): Promise<boolean> {
    switch (delivery.type) {
      case 'offer': {
        const { offer, contact } = delivery;
        await this.#book.apply(offer.id, { type: 'offer', offer }, contact);
        return true;
      }
      case 'terminate':
        await this.#book.apply(delivery.termination.id, delivery);
        return true;
      case 'outbound': {
        if (await this.#takeNews(delivery.news)) return true;
        if (!delivery.otherwise) return false;
        const termination = delivery.otherwise;
        await this.#book.apply(termination.id, { type: 'terminate', termination });
        return true;
      }
    }
  }

  async #takeNews(news: OutboundNews): Promise<boolean> {
    const id = await this.#findOutbound(news);
    if (id === null) return false;
    const { event } = news;
    await this.#book.apply(
      id,
      event.type === 'terminate'
        ? { type: 'terminate', termination: { ...event.termination, id } }
        : event,
    );
    return true;
  }

  /** Among the calls in progress first, then in the record. */
  async #findOutbound(news: OutboundNews): Promise<CallId | null> {
    await this.#book.load();
    const live = matchOutbound(this.#book.calls(), news);
    if (live) return live.id;
    const { numberId, providerCallId, opaque } = news;
    const past =
      opaque === null
        ? await this.#store.findByProviderCallId(numberId, providerCallId)
        : await this.#store.find(opaque as CallId);
    return past?.direction === 'outbound' && past.numberId === numberId ? past.id : null;
  }

  /** Starts a call of the business, unless the number is already calling this user. Repeating it with the same id is harmless. */
  async dial(dial: Dial, contact: Contact): Promise<Dialled> {
    await this.#book.load();
    const pair = `${dial.numberId} ${dial.caller.contactId}`;
    const conflict = [...this.#book.calls()].find(
      (call) =>
        call.id !== dial.id &&
        call.numberId === dial.numberId &&
        call.caller?.contactId === dial.caller.contactId &&
        !isOver(call),
    );
    if (conflict) return { call: null, conflict };
    const dialling = this.#dialling.get(pair) ?? { id: dial.id, requests: 0 };
    if (dialling.id !== dial.id) return { call: null, conflict: null };
    dialling.requests += 1;
    this.#dialling.set(pair, dialling);
    try {
      const call = await this.#book.apply(dial.id, { type: 'dial', dial }, contact);
      return { call, conflict: null };
    } finally {
      dialling.requests -= 1;
      // The same request may be under way once more.
      if (dialling.requests === 0) this.#dialling.delete(pair);
    }
  }

  /** The user has answered a permission request: calls that wait for it go on or end. */
  async permissionChanged(
    numberId: NumberId,
    contactId: ContactId,
    isGranted: boolean,
  ): Promise<void> {
    await this.#book.load();
    const waiting = [...this.#book.calls()].filter(
      (call) =>
        call.state === 'asking' &&
        call.numberId === numberId &&
        call.caller?.contactId === contactId,
    );
    await Promise.all(
      waiting.map(({ id }) => this.#book.apply(id, { type: 'permission', isGranted })),
    );
  }
}
