// Listens to what a page receives over WebRTC and looks for tones in it. Runs inside the page, ahead of its own scripts.
import type { Page } from 'playwright-core';

/** Tones that are looked for, in Hz; far enough apart for the window below. */
const TONES_HZ = [440, 600, 1000];

type ProbedWindow = Window & { tonesHeard: Map<number, number> };

/** Call before the page navigates. */
export async function installAudioProbe(page: Page): Promise<void> {
  await page.addInitScript(probe, TONES_HZ);
}

/** Forgets what was heard so far. */
export const forgetTones = (page: Page): Promise<void> =>
  page.evaluate(() => (window as unknown as ProbedWindow).tonesHeard.clear());

/** Waits until the page hears this tone from the other side. */
export async function hearsTone(page: Page, hz: number, timeoutMs = 20_000): Promise<void> {
  await page
    .waitForFunction((wanted) => (window as unknown as ProbedWindow).tonesHeard.has(wanted), hz, {
      timeout: timeoutMs,
    })
    .catch(async (cause: unknown) => {
      const heard = await page.evaluate(() => [
        ...(window as unknown as ProbedWindow).tonesHeard.keys(),
      ]);
      throw new Error(`the page heard no ${hz} Hz; heard: ${heard.join(', ') || '-'}`, { cause });
    });
}

/** Serialised into the page, so it may use nothing from outside. */
function probe(tonesHz: number[]): void {
  const LOUDNESS_MIN = 0.01;
  const SHARE_MIN = 0.5;
  const heard = new Map<number, number>();
  (window as unknown as ProbedWindow).tonesHeard = heard;

  const share = (pcm: Float32Array, hz: number, sampleRateHz: number): number => {
    const coefficient = 2 * Math.cos((2 * Math.PI * hz) / sampleRateHz);
    let [previous, beforePrevious, energy] = [0, 0, 0];
    for (const sample of pcm) {
      const current = sample + coefficient * previous - beforePrevious;
      beforePrevious = previous;
      previous = current;
      energy += sample * sample;
    }
    if (Math.sqrt(energy / pcm.length) < LOUDNESS_MIN) return 0;
    const power = previous ** 2 + beforePrevious ** 2 - coefficient * previous * beforePrevious;
    return (2 * power) / (pcm.length * energy);
  };

  const listen = (track: MediaStreamTrack): void => {
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 2048 });
    new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) }).connect(
      analyser,
    );
    const pcm = new Float32Array(analyser.fftSize);
    setInterval(() => {
      analyser.getFloatTimeDomainData(pcm);
      for (const hz of tonesHz) {
        if (share(pcm, hz, context.sampleRate) > SHARE_MIN && !heard.has(hz)) {
          heard.set(hz, Date.now());
        }
      }
    }, 20);
  };

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      this.addEventListener('track', ({ track }) => {
        if (track.kind === 'audio') listen(track);
      });
    }
  };
}
