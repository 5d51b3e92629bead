// The provider's news as the worker hands them to the Switchboard after reading a webhook.
import type { CallPolicy } from '../../../worker/domain/call.ts';
import type { CallId, ContactId, NumberId } from '../../../worker/domain/ids.ts';
import type { Contact } from '../../../worker/ports.ts';
import type { Delivery } from '../../../worker/intake.ts';
import type { MetaCall, MetaNews } from './meta.ts';
import { NO_FACTS } from '../../support/no-facts.ts';

/** Provider: a call must be accepted within about 30 to 60 s. Calling API reference, read 2026-06. */
const ANSWER_LIMIT_MS = 30_000;

export const NUMBER_ID = 'schedule-number' as NumberId;
export const DISPLAY_PHONE_NUMBER = '15550109999';
export const AGENT_IDS = ['schedule-agent-0', 'schedule-agent-1', 'schedule-agent-2'] as const;

export const contactOf = (user: string): Contact => ({
  id: `contact-${user}` as ContactId,
  name: null,
  identities: [{ kind: 'phone', value: user }],
});

/** The provider's timestamps are whole seconds. */
const wholeSecond = (ms: number): number => Math.floor(ms / 1_000) * 1_000;

export function deliveryOf(
  call: MetaCall,
  news: MetaNews,
  nowMs: number,
  more: Pick<CallPolicy, 'hasFallbackText' | 'recording'> & {
    readonly hidesOpaque: boolean;
    readonly payload: string | null;
  },
): Delivery {
  const atMs = wholeSecond(nowMs);
  const { user, wacid: providerCallId } = call;
  const id = call.callId as CallId;
  const number = {
    numberId: NUMBER_ID,
    displayPhoneNumber: DISPLAY_PHONE_NUMBER,
    providerCallId,
  };
  const about = {
    numberId: NUMBER_ID,
    providerCallId,
    opaque: more.hidesOpaque ? null : call.callId,
    user: { phone: user },
  };
  switch (news.type) {
    case 'offer': {
      const contact = contactOf(user);
      const { hasFallbackText, recording } = more;
      const caller = { contactId: contact.id, phone: user };
      const isLeftToVoicemail = false;
      const offered = {
        sdp: 'sdp of the provider',
        offeredAtMs: atMs,
        answerLimitMs: ANSWER_LIMIT_MS,
      };
      return {
        type: 'offer',
        contact,
        offer: {
          ...number,
          id,
          caller,
          payload: more.payload,
          routing: NO_FACTS,
          policy: { hasFallbackText, isLeftToVoicemail, recording, canRecord: true },
          ...offered,
        },
      };
    }
    case 'answer':
      return {
        type: 'outbound',
        news: { ...about, event: { type: 'answer', providerCallId, sdp: 'sdp of the provider' } },
      };
    case 'status':
      return {
        type: 'outbound',
        news: { ...about, event: { type: 'status', providerCallId, status: news.status, atMs } },
      };
    case 'terminate': {
      const { connectedAtMs } = call;
      const termination = {
        ...number,
        atMs,
        wasPickedUp: connectedAtMs !== null,
        ...(connectedAtMs === null
          ? {}
          : { startedAtMs: wholeSecond(connectedAtMs), endedAtMs: atMs }),
        ...(news.error ? { errorCode: 138021, error: '138021: no media' } : {}),
      };
      return call.direction === 'inbound'
        ? { type: 'terminate', termination: { ...termination, id } }
        : { type: 'outbound', news: { ...about, event: { type: 'terminate', termination } } };
    }
  }
}
