// Recordings in the programs that people hear them with: Chromium, FFmpeg, and opusinfo, which complains about what is not right.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Recording } from '../../relay/domain/recording.ts';
import { NO_CHROMIUM } from '../local/chromium.ts';
import { loopOf } from '../local/simulator/signals.ts';
import { findSoundTool, noSoundTool } from '../local/sound-tools.ts';
import { CHROMIUM, openBrowser } from './browsers.ts';

const LEFT_HZ = 440;
const RIGHT_HZ = 1_000;
const SECONDS = 12;
/** Both voices are silent from the sixth second to the eighth. */
const PAUSE_MS = [6_000, 8_000] as const;
/** How long players play it: an encoder is 6.5 ms behind. */
const PLAYED_S = SECONDS - 0.0065;
/** Enough for these tones, and a third of the samples that there are. */
const RATE_HZ = 16_000;

/** A call of two tones, of which every 20th packet of the caller is lost. */
function call(): Buffer {
  const pages: Uint8Array[] = [];
  const recording = new Recording(0x1234_5678, (page) => pages.push(page.slice()));
  const left = loopOf({ kind: 'tone', hz: LEFT_HZ });
  const right = loopOf({ kind: 'tone', hz: RIGHT_HZ });
  recording.want('on', 0);
  recording.open(0);
  for (let n = 0; n < SECONDS * 50; n++) {
    const nowMs = n * 20;
    if (nowMs === PAUSE_MS[0]) recording.want('paused', nowMs);
    if (nowMs === PAUSE_MS[1]) recording.want('on', nowMs);
    const [heard, sent] = [left[n % left.length], right[n % right.length]];
    if (!heard || !sent) throw new Error('a loop has frames');
    if (n % 20 !== 7) recording.heard(heard, 0, heard.length, n * 960, nowMs);
    recording.sent(sent, 0, sent.length, n * 960, nowMs, nowMs);
  }
  recording.close(SECONDS * 1_000);
  return Buffer.concat(pages);
}

const file = call();
const folder = mkdtempSync(join(tmpdir(), 'roomline-players-'));
const path = join(folder, 'call.ogg');
writeFileSync(path, file);
afterAll(() => rmSync(folder, { recursive: true }));

/** How loud a tone is in some samples, 0 to 1, by Goertzel's algorithm. */
function amplitude(samples: ArrayLike<number>, from: number, hz: number): number {
  const length = RATE_HZ / 10;
  const k = 2 * Math.cos((2 * Math.PI * hz) / RATE_HZ);
  let [a, b] = [0, 0];
  for (let i = from; i < from + length; i++) [a, b] = [(samples[i] ?? 0) + k * a - b, a];
  return (2 * Math.sqrt(a * a + b * b - k * a * b)) / length;
}

/** Each voice is where it belongs, and nothing is heard during the pause. */
function expectVoices(left: ArrayLike<number>, right: ArrayLike<number>): void {
  for (const atMs of [1_000, 3_000, 5_000, 9_000, 11_000]) {
    const from = (atMs * RATE_HZ) / 1_000;
    expect(amplitude(left, from, LEFT_HZ)).toBeGreaterThan(0.1);
    expect(amplitude(left, from, RIGHT_HZ)).toBeLessThan(0.02);
    expect(amplitude(right, from, RIGHT_HZ)).toBeGreaterThan(0.1);
    expect(amplitude(right, from, LEFT_HZ)).toBeLessThan(0.02);
  }
  const pause = (7_000 * RATE_HZ) / 1_000;
  expect(amplitude(left, pause, LEFT_HZ)).toBeLessThan(0.001);
  expect(amplitude(right, pause, RIGHT_HZ)).toBeLessThan(0.001);
}

const opusinfo = findSoundTool('opusinfo');
it.skipIf(!opusinfo)(opusinfo ? 'opusinfo finds nothing wrong' : noSoundTool('opusinfo'), () => {
  const { stdout, stderr, status } = spawnSync(opusinfo ?? '', [path], { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).not.toMatch(/warning|error/i);
  expect(status).toBe(0);
  expect(stdout).toContain('Encoded with Roomline');
  expect(stdout).toContain('Streams: 2, Coupled: 0');
  expect(stdout).toContain('Map: [0, 1]');
  expect(stdout).toMatch(/Playback length: 0m:11\.99/);
});

const ffmpeg = findSoundTool('ffmpeg');
it.skipIf(!ffmpeg)(ffmpeg ? 'FFmpeg hears both voices' : noSoundTool('ffmpeg'), () => {
  const { stdout, stderr } = spawnSync(
    ffmpeg ?? '',
    ['-v', 'warning', '-i', path, '-f', 'f32le', '-ar', String(RATE_HZ), '-ac', '2', '-'],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  expect(stderr.toString()).toBe('');
  const samples = new Float32Array(stdout.buffer, stdout.byteOffset, stdout.length / 4);
  expect(samples.length / 2 / RATE_HZ).toBeCloseTo(PLAYED_S, 2);
  expectVoices(
    samples.filter((_, n) => n % 2 === 0),
    samples.filter((_, n) => n % 2 === 1),
  );
});

it.skipIf(!ffmpeg)(ffmpeg ? 'FFmpeg finds a place in it' : noSoundTool('ffmpeg'), () => {
  const args = ['-v', 'warning', '-ss', '9', '-i', path, '-t', '1', '-f', 'f32le', '-ar'];
  const pcm = execFileSync(ffmpeg ?? '', [...args, String(RATE_HZ), '-ac', '2', '-']);
  const samples = new Float32Array(pcm.buffer, pcm.byteOffset, pcm.length / 4);
  const left = samples.filter((_, n) => n % 2 === 0);
  expect(amplitude(left, RATE_HZ / 2, LEFT_HZ)).toBeGreaterThan(0.1);
});

describe.skipIf(!CHROMIUM)(CHROMIUM ? 'Chromium' : `Chromium: ${NO_CHROMIUM}`, () => {
  let browser: Browser;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    browser = await openBrowser(LEFT_HZ);
    // As the worker serves it: whole, or the part that is asked for.
    server = createServer((request, response) => {
      if (request.url === '/') {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<audio src="/call.ogg">');
        return;
      }
      const [, first = '0', last = ''] =
        /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
      const to = last === '' ? file.length - 1 : Number(last);
      response.writeHead(request.headers.range ? 206 : 200, {
        'content-type': 'audio/ogg',
        'accept-ranges': 'bytes',
        'content-range': `bytes ${first}-${to}/${file.length}`,
        'content-length': to + 1 - Number(first),
      });
      response.end(file.subarray(Number(first), to + 1));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
  });

  it('decodes both voices', async () => {
    const page = await browser.newPage();
    await page.goto(url);
    const [left, right] = await page.evaluate(async (rateHz) => {
      const bytes = await (await fetch('/call.ogg')).arrayBuffer();
      const sound = await new OfflineAudioContext(2, 1, rateHz).decodeAudioData(bytes);
      return [0, 1].map((channel) => [...sound.getChannelData(channel)]);
    }, RATE_HZ);
    expect((left?.length ?? 0) / RATE_HZ).toBeCloseTo(PLAYED_S, 2);
    expectVoices(left ?? [], right ?? []);
    await page.close();
  });

  it('plays it from any place', async () => {
    const page = await browser.newPage();
    await page.goto(url);
    const played = await page.evaluate(async () => {
      const audio = document.querySelector('audio');
      if (!audio) throw new Error('no player');
      const heard = (what: string) =>
        new Promise((resolve, reject) => {
          audio.addEventListener(what, resolve, { once: true });
          audio.addEventListener('error', () => reject(new Error(audio.error?.message)), {
            once: true,
          });
        });
      if (audio.readyState === 0) await heard('loadedmetadata');
      const { duration } = audio;
      audio.currentTime = 9;
      await heard('seeked');
      const from = audio.currentTime;
      await audio.play();
      await heard('timeupdate');
      audio.currentTime = 2;
      await heard('seeked');
      return { duration, from, seekableTo: audio.seekable.end(0), back: audio.currentTime };
    });
    expect(played.duration).toBeCloseTo(PLAYED_S, 1);
    expect(played.seekableTo).toBeCloseTo(PLAYED_S, 1);
    expect(played.from).toBeCloseTo(9, 1);
    expect(played.back).toBeLessThan(3);
    await page.close();
  });
});
