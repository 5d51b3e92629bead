// The tables of ARCHITECTURE.md as text: written, read back, compared.
import { COLUMNS, TOO_LATE, type Cell, type Line, type Table } from './transitions-table.ts';

/** In a special case: as in the plain one. */
const SAME = '″';

/** A table as people read it: rows of cells, the first row being the heading. */
export type Sheet = readonly (readonly string[])[];

/**
 * Rows and columns in which nothing happens are left out. Results of a job that mean the same share a row, and a case that makes
 * no difference has none.
 */
export function sheetOf({ direction, lines }: Table): Sheet {
  const shown = COLUMNS[direction].map((_, index) => lines.some(({ cells }) => cells[index]));
  const onlyShown = <T>(_: T, index: number): boolean => shown[index] ?? false;
  const rows: { line: Line; results: string[] }[] = [];
  for (const line of lines.filter(isShown)) {
    const same = rows.find((row) => isSameLine(row.line, line));
    if (same && line.result) same.results.push(line.result);
    else rows.push({ line, results: line.result ? [line.result] : [] });
  }
  return [
    ['event', 'name', ...COLUMNS[direction].filter(onlyShown)],
    ...rows.map(({ line, results }) => {
      const usual = usualName(line.cells);
      const plain = lines.find((other) => isSpecialCase(line, other));
      const texts = line.cells
        .map((cell, index) => (cell ? textOf(cell, usual) : plain?.cells[index] ? SAME : ''))
        .filter(onlyShown);
      return [titleOf(line, results), usual, ...texts];
    }),
  ];
}

const isSameCell = (a: Cell | null | undefined, b: Cell | null | undefined): boolean =>
  a?.name === b?.name && a?.next === b?.next;
const isSameLine = (a: Line, b: Line): boolean =>
  a.of === b.of &&
  a.label === b.label &&
  a.cells.every((cell, index) => isSameCell(cell, b.cells[index]));

/** Something changes, and not as in a case that this is a special one of. */
const isShown = (line: Line, index: number, lines: readonly Line[]): boolean =>
  line.cells.some(Boolean) && !lines.slice(0, index).some((earlier) => saysMore(earlier, line));

const saysMore = (known: Line, line: Line): boolean =>
  isSpecialCase(line, known) &&
  line.cells.every((cell, index) => cell === null || isSameCell(cell, known.cells[index]));

const isSpecialCase = ({ of, label, result }: Line, plain: Line): boolean =>
  plain.of === of &&
  plain.result === result &&
  plain.label !== label &&
  label.startsWith(plain.label);

const titleOf = ({ of, label }: Line, results: readonly string[]): string => {
  const what = [of && `\`${of}\``, label].filter(Boolean).join(', ');
  const shown = results.filter((result) => result !== TOO_LATE || !results.includes('unsure'));
  return shown.length === 0 ? what : `${what}: ${shown.join(', ')}`;
};

/** The name that most cells of a line have; of several, the first. */
function usualName(cells: Line['cells']): string {
  const names = cells.flatMap((cell) => cell?.name ?? []);
  const count = (name: string): number => names.filter((other) => other === name).length;
  return names.toSorted((a, b) => count(b) - count(a))[0] ?? '';
}

const textOf = ({ name, next }: Cell, usual: string): string =>
  name === usual ? next : `${name} → ${next}`;

export const markdownOf = ([heading = [], ...rows]: Sheet): string => {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(heading), line(heading.map(() => '---')), ...rows.map(line)].join('\n');
};

/** Reads the table below a heading. */
export function readSheet(section: string, title: string): Sheet {
  const part = section.split(`\n### ${title}\n`)[1]?.split('\n### ')[0] ?? '';
  const rows = part.split('\n').filter((line) => line.startsWith('|'));
  return rows
    .filter((_, index) => index !== 1)
    .map((row) =>
      row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

/** Cell by cell, what the document and the code do not agree about. */
export function differences(document: Sheet, code: Sheet): string[] {
  const said = byPlace(document);
  const done = byPlace(code);
  return [...new Set([...said.keys(), ...done.keys()])].flatMap((place) => {
    const [says = 'no such cell', does = 'no such cell'] = [said.get(place), done.get(place)];
    return says === does ? [] : [`${place}: the document says "${says}", the code does "${does}"`];
  });
}

const byPlace = ([heading = [], ...rows]: Sheet): Map<string, string> =>
  new Map(
    rows.flatMap(([row, ...rest]) =>
      rest.map((cell, index): [string, string] => [`${row} | ${heading[index + 1]}`, cell]),
    ),
  );
