// Calls as subscribers and callers of the API see them, made from the Switchboard's memory.
import type { CallNotice, QualityNotice } from './adapters/event-sockets.ts';
import { iso, viewOfCall, type CallView, type RecordingView } from './call-view.ts';
import type { Call, CallQuality } from './domain/call.ts';
import { searchOf } from './domain/flow.ts';
import { roomOfCall } from './domain/ids.ts';
import { ringsOf } from './domain/people.ts';
import type { StoredEntry } from './ports.ts';

export const view = (call: Call): CallView =>
  viewOfCall(
    call,
    roomOfCall(call.id),
    call.caller && {
      id: call.caller.contactId,
      name: call.caller.name ?? null,
      phone: call.caller.phone ?? null,
    },
    null,
    null,
  );

export const notice = (call: Call, entry: StoredEntry): CallNotice => ({
  type: noticeType(entry, call),
  id: entry.cursor,
  at: iso(entry.atMs),
  event: entry.type,
  call: { ...view(call), recording: recordingIn(entry) },
});

export const qualityNotice = (
  calls: readonly { readonly id: string; readonly stats: CallQuality }[],
  atMs: number,
): QualityNotice => ({
  type: 'quality',
  at: iso(atMs),
  calls: calls.map(({ id, stats }) => ({ id, quality: stats })),
});

function recordingIn({ type, detail }: StoredEntry): RecordingView | null {
  if (type !== 'recording-kept') return null;
  const { expires_at = null, ...recording } = detail as RecordingDetail;
  return { ...recording, expires_at };
}

/** As `onRecordingKept` writes it, which is what makes the cast sound. */
type RecordingDetail = Omit<RecordingView, 'expires_at'> & { readonly expires_at?: string };

/** After these somebody may be rung who was not before: a claim that was taken back makes the call ring again. */
const RINGS: ReadonlySet<StoredEntry['type']> = new Set([
  'ringing',
  'claim-released',
  'step',
  'rung',
  'ring-ended',
  'transferring',
  'transfer-cancelled',
  'consulting',
  'inviting',
  'colleague-rung',
]);

function noticeType(entry: StoredEntry, call: Call): CallNotice['type'] {
  // What happened may have begun a step.
  const mayRing = RINGS.has(entry.type) || entry.detail?.['step'] !== undefined;
  if (mayRing && isRinging(call)) return 'ring';
  return entry.type === 'claimed' ? 'claim' : 'call';
}

const isRinging = (call: Call): boolean => {
  const search = searchOf(call.flow);
  const isForEverybody = search?.isForEverybody ?? (call.flow === null && call.state === 'ringing');
  return isForEverybody || ringsOf(call).length > 0;
};
