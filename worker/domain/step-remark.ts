// Decisions about what people write on a call, while it lasts and afterwards. Notes stand in its timeline alone. Pure.
import type { Call } from './call.ts';
import type { Actor } from './call-event.ts';
import { refuse, type Answer, type Refused } from './change.ts';

/** Longest note, in characters. */
export const NOTE_CHARS_MAX = 1_000;
/** All notes of a call, in characters: a call is to take 4 kB of the record. */
const NOTES_CHARS_MAX = 2_000;
export const TAGS_MAX = 10;
export const TAG_CHARS_MAX = 40;
export const DISPOSITION_CHARS_MAX = 100;

export interface Remarks {
  readonly tags: readonly string[];
  /** What came of the call, in the words of whoever had it. */
  readonly disposition: string | null;
  /** Of all notes. */
  readonly noteChars: number;
}

export const NO_REMARKS: Remarks = { tags: [], disposition: null, noteChars: 0 };

export type Remark =
  | { readonly note: string }
  | { readonly tags: readonly string[] }
  | { readonly disposition: string | null };

export function onRemark(call: Call, remark: Remark, actor: Actor): Answer | Refused {
  const { remarks } = call;
  const by = actor.id;
  if (call.state === 'tombstone') return null;
  if ('note' in remark) {
    const noteChars = remarks.noteChars + remark.note.length;
    if (noteChars > NOTES_CHARS_MAX) return refuse('too-many-notes');
    return {
      patch: { remarks: { ...remarks, noteChars } },
      entry: { type: 'note', detail: { by, text: remark.note } },
    };
  }
  if ('tags' in remark) {
    const tags = [...new Set(remark.tags)];
    if (tags.join('\n') === remarks.tags.join('\n')) return null;
    const detail = { by, tags: tags.join(', ') };
    return { patch: { remarks: { ...remarks, tags } }, entry: { type: 'tagged', detail } };
  }
  const { disposition } = remark;
  if (disposition === remarks.disposition) return null;
  return {
    patch: { remarks: { ...remarks, disposition } },
    entry: { type: 'disposition-set', detail: { by, disposition: disposition ?? '' } },
  };
}
