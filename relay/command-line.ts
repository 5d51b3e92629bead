// What the relay is told on its command line.
import { parseArgs } from 'node:util';

/** More than any machine has cores for; the worker knows processes up to 99. */
const PROCESSES_MAX = 99;

export type Command = {
  /** How many processes share the settings. */
  readonly processes: number;
  /** Which of them this is, from 1 on; absent in the one that starts the others, or that is alone. */
  readonly process?: number;
  /** Only print the settings. */
  readonly isCheck: boolean;
};

/**
 * Reads `--processes auto|N`, `--check-config`, and `--process K`, which is for processes that the relay starts itself.
 *
 * @param cores what `auto` means
 */
export function parseCommand(
  args: readonly string[],
  cores: number,
): { ok: true; command: Command } | { ok: false; problems: string[] } {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        processes: { type: 'string', default: '1' },
        process: { type: 'string' },
        'check-config': { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return { ok: false, problems: [error instanceof Error ? error.message : String(error)] };
  }
  const processes =
    values.processes === 'auto'
      ? Math.min(cores, PROCESSES_MAX)
      : wholeNumber(values.processes, PROCESSES_MAX);
  if (processes === undefined) {
    return {
      ok: false,
      problems: [`--processes: must be auto or a whole number from 1 to ${PROCESSES_MAX}`],
    };
  }
  const isCheck = values['check-config'];
  if (values.process === undefined) return { ok: true, command: { processes, isCheck } };
  const number = wholeNumber(values.process, processes);
  return number === undefined
    ? { ok: false, problems: [`--process: must be a whole number from 1 to ${processes}`] }
    : { ok: true, command: { processes, process: number, isCheck } };
}

function wholeNumber(text: string, max: number): number | undefined {
  return /^[1-9]\d?$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}
