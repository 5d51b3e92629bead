// Which payload types a call has with the provider, by its SDP.
import { OFFERED } from './sdp-write.ts';
import type { Remote } from './sdp.ts';

/** Payload types with the provider: what we send, and what we take for it. */
export type PayloadTypes = {
  readonly opus: { readonly sent: number; readonly received: readonly number[] };
  /** Key presses; none are sent where the provider has not named a number for them. */
  readonly events: { readonly sent: number | undefined; readonly received: readonly number[] };
};

/**
 * Which payload types are sent and taken. Spec: RFC 3264 section 6.1, each side sends the numbers that the other's SDP has.
 * Provider ("Calling: FAQ"): key presses come under 126 even when they were not negotiated.
 */
export function payloadTypes({
  opusPayloadType: opus,
  dtmfPayloadType: events,
}: Remote): PayloadTypes {
  const received = events ?? OFFERED.dtmfPayloadType;
  return {
    opus: { sent: opus, received: [opus] },
    events: { sent: events, received: received === opus ? [] : [received] },
  };
}

/** The same of the answer to our offer: a provider that uses the offered numbers all the same is heard too. */
export function answeredTypes(answer: Remote): PayloadTypes {
  const { opus, events } = payloadTypes(answer);
  return {
    opus: {
      ...opus,
      received: [opus.sent, OFFERED.opusPayloadType].filter((type) => type !== events.sent),
    },
    events: { ...events, received: [...events.received, OFFERED.dtmfPayloadType] },
  };
}
