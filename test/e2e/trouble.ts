// What tests of parts that break ask of a call: which relay held it, whether its audio had a gap, whether everybody was told.
import { expect, vi } from 'vitest';
import type { CallView as PhoneView, HeardReport } from '../local/simulator/client.ts';
import type { CallDetails, TimelineEntry } from '../support/roomline-client.ts';
import type { Stack } from '../support/stack.ts';

export const FALLBACK_TEXT = 'Sorry, we could not take your call. Write to us here.';

/** Gives the stack's number a text for callers who could not be served. */
export async function setFallbackText({ admin }: Stack): Promise<void> {
  const { data } = await admin.request<{ data: { id: string }[] }>('GET', '/v1/numbers');
  for (const { id } of data) {
    await admin.request('PATCH', `/v1/numbers/${id}`, { fallback_text: FALLBACK_TEXT });
  }
}

/** The texts that the user of a simulated phone was sent. */
export async function textsTo({ simulator }: Stack, userId: string): Promise<unknown[]> {
  const messages = await simulator.messages();
  return messages
    .filter((message) => message.userId === userId)
    .map(({ body }) => (body['text'] as { body?: unknown } | undefined)?.body);
}

/** Waits until the caller has the fallback text, and sees that it came once. */
export async function expectFallbackText(stack: Stack, { userId }: PhoneView): Promise<void> {
  const hasCome = async () => expect(await textsTo(stack, userId)).toEqual([FALLBACK_TEXT]);
  await vi.waitFor(hasCome, { timeout: 15_000, interval: 50 });
}

export const entriesOf = ({ timeline }: CallDetails, type: string): TimelineEntry[] =>
  timeline.filter((entry) => entry.type === type);

/** Id of the relay that holds or held a call. */
export function relayOf({ timeline }: CallDetails): unknown {
  const placed = ({ type }: TimelineEntry) => type === 'offered' || type === 'placed-elsewhere';
  return timeline.findLast(placed)?.detail?.['relay'];
}

/** What the record and the provider know of an end since something happened, in ms. */
export const msUntilEnd = (
  { record, report }: { record: CallDetails; report: PhoneView },
  sinceMs: number,
): { record: number; provider: number } => ({
  record: Date.parse(record.ended_at ?? '') - sinceMs,
  provider: (report.endedAtMs ?? NaN) - sinceMs,
});

/**
 * How far the packets of a stream may fall behind the time they were sent in: the phone's clock and the relay's pace, in ms. An
 * outage that this must show takes seconds.
 */
const PACE_SLACK_MS = 1_000;

/**
 * What came is one stream with every frame once: by sequence numbers and timestamps, which tell a frame that was not sent or got
 * lost from one that was merely late, and by their number, which tells a stream that stood still.
 *
 * @param lostBefore frames that the sender's machine or LiveKit lost before the relay had them, as its figures say
 */
export function expectUnbroken(heard: HeardReport, lostBefore = 0): void {
  const { lost, duplicates, outOfOrder, timestampJumps, ssrcs } = heard;
  // Where they are missing says who has lost them.
  const { losses, arrivalGaps, firstPacketAtMs } = heard;
  if (lost > lostBefore) expect({ losses, arrivalGaps, firstPacketAtMs }).toEqual({ losses: [] });
  expect({ duplicates, outOfOrder, timestampJumps, ssrcs: ssrcs.length }).toEqual({
    duplicates: 0,
    outOfOrder: 0,
    timestampJumps: [],
    ssrcs: 1,
  });
  const lastedMs = (heard.lastPacketAtMs ?? 0) - (heard.firstPacketAtMs ?? 0);
  expect(heard.packets * 20).toBeGreaterThan(lastedMs - PACE_SLACK_MS);
}

/** The same for what the caller of a call was sent, once it is over. */
export const expectUnbrokenCall = ({
  record,
  report,
}: {
  record: CallDetails;
  report: PhoneView;
}): void => expectUnbroken(report.heard, record.quality?.to_caller.lost);
