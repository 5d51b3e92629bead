// The lines of an SDP text and the attributes in them. Knows nothing of what a call needs.

export type Line = { readonly number: number; readonly type: string; readonly value: string };

/** What is read of an `a=` line: name and value, which is empty for a flag. */
export type Attribute = { readonly number: number; readonly name: string; readonly value: string };

/** Thrown while reading; what a caller of this folder gets is a result. */
export class Unusable extends Error {
  override readonly name = 'Unusable';
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** A call's SDP is about 30 lines; beyond this it is not one. */
const LINES_MAX = 500;

/**
 * Splits a text into its lines, whatever their ends.
 *
 * @throws Unusable naming the first line that is not SDP
 */
export function splitLines(sdp: string): Line[] {
  const texts = sdp.split(/\r\n|\n|\r/);
  if (texts.length > LINES_MAX) throw new Unusable(LINES_MAX, 'too many lines');
  const lines: Line[] = [];
  for (const [index, text] of texts.entries()) {
    if (text === '') continue;
    if (!/^[a-z]=/.test(text)) throw new Unusable(index + 1, 'not of the form type=value');
    lines.push({ number: index + 1, type: text.slice(0, 1), value: text.slice(2) });
  }
  const first = lines[0];
  if (!first) throw new Unusable(0, 'empty SDP');
  if (first.type !== 'v' || first.value !== '0')
    throw new Unusable(first.number, 'does not start with v=0');
  return lines;
}

/** Number of the first `m=` line; what comes before it is the session level. */
export const firstMediaLine = (lines: readonly Line[]): number =>
  lines.find((line) => line.type === 'm')?.number ?? Infinity;

/** The `a=` lines among these. */
export const attributesOf = (lines: readonly Line[]): Attribute[] =>
  lines
    .filter((line) => line.type === 'a')
    .map(({ number, value }) => {
      const colon = value.indexOf(':');
      return colon < 0
        ? { number, name: value, value: '' }
        : { number, name: value.slice(0, colon), value: value.slice(colon + 1) };
    });
