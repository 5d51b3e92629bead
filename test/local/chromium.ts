// Finds a Chromium for the browser tests. None is downloaded: it is a matter of the operating system's packages.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

// Where a system's package or installer puts it.
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MACOS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Shown wherever the browser tests are skipped. */
export const NO_CHROMIUM =
  'no Chromium found: install it (Debian: apt-get install chromium) or set CHROMIUM_PATH';

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

/**
 * The browser to test with: `CHROMIUM_PATH`, else the first one on PATH.
 *
 * @returns its path, or undefined when there is none
 * @throws Error when `CHROMIUM_PATH` is set but wrong: a typing error must not look like a missing browser
 */
export function findChromium(
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const named = env['CHROMIUM_PATH'];
  if (named) {
    if (isExecutable(named)) return named;
    throw new Error(`CHROMIUM_PATH=${named} is not an executable file`);
  }
  const onPath = (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const installed = process.platform === 'darwin' ? MACOS : [];
  return [...onPath, ...installed].find(isExecutable);
}
