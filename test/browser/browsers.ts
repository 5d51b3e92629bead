// Chromium with a fake microphone, as the tests need it: one browser per voice.
import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { findChromium } from '../local/chromium.ts';
import { installAudioProbe } from './audio-probe.ts';
import { writeBeeps } from './fake-microphone.ts';

const STATE_FOLDER = join(import.meta.dirname, '../../.state');
const SCREENSHOTS_FOLDER = join(STATE_FOLDER, 'screenshots');

/** Undefined when there is no Chromium on this machine; the tests are then skipped. */
export const CHROMIUM = findChromium();

/** Starts a browser whose microphone plays beeps of `hz`. */
export async function openBrowser(hz: number): Promise<Browser> {
  const voice = join(STATE_FOLDER, `voice-${hz}-${process.pid}.wav`);
  await mkdir(STATE_FOLDER, { recursive: true });
  await writeBeeps(voice, hz);
  const browser = await chromium.launch({
    ...(CHROMIUM ? { executablePath: CHROMIUM } : {}),
    args: [
      // Containers, where CI runs, have no user namespaces for the sandbox; only pages of this project are opened.
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--use-file-for-fake-audio-capture=${voice}`,
      '--autoplay-policy=no-user-gesture-required',
    ],
  });
  browser.once('disconnected', () => rmSync(voice, { force: true }));
  return browser;
}

/**
 * A page that listens for tones.
 *
 * @param errors collects what goes wrong in the page's scripts
 */
export async function openPage(browser: Browser, errors: string[]): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 720, height: 640 } });
  page.on('pageerror', (error) => errors.push(error.message));
  await installAudioProbe(page);
  return page;
}

/** Keeps a picture for people to look at: `.state/screenshots/<name>.png`. */
export const picture = (page: Page, name: string): Promise<Buffer> =>
  page.screenshot({ path: join(SCREENSHOTS_FOLDER, `${name}.png`) });
