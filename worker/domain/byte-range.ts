// Which part of a file a request asks for. Spec: RFC 9110 section 14. Pure.

export interface ByteRange {
  readonly offset: number;
  /** At least 1. */
  readonly length: number;
}

/**
 * @param header the `Range` header
 * @param size of the whole, in bytes
 * @returns null for all of it, which is also the answer to what is not understood and to several parts at once; `unsatisfiable`
 * for a part that the file does not have
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? '');
  const [, first = '', last = ''] = match ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { offset: size - length, length };
  }
  const offset = Number(first);
  if (last !== '' && Number(last) < offset) return null;
  if (offset >= size) return 'unsatisfiable';
  return { offset, length: (last === '' ? size : Math.min(Number(last) + 1, size)) - offset };
}
