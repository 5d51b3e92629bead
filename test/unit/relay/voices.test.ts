import { describe, expect, it } from 'vitest';
import { loadOpus } from '../../../relay/adapters/opus.ts';
import { TOGETHER_MS } from '../../../relay/domain/mix-choice.ts';
import { MixDesk } from '../../../relay/domain/mix-desk.ts';
import { isPlain } from '../../../relay/domain/opus.ts';
import { RETRY_MS } from '../../../relay/mixing.ts';
import type { StartMixThread } from '../../../relay/ports.ts';
import {
  between,
  CELT,
  HYBRID,
  MixRig,
  NARROW,
  PHONE_FRAME,
  PHONE_RATE_HZ,
  SILK,
  silence,
  sine,
  type Signal,
  type SourceOptions,
} from './support/mix-rig.ts';

const [ANNA, BEN, CARL] = [1, 2, 3];

const codec = await loadOpus();

/** A gliding pitch with harmonics, four syllables a second with pauses between them. */
const voice: Signal = (seconds) => {
  const phase = 2 * Math.PI * (140 * seconds + 12 * (1 - Math.cos(Math.PI * seconds)));
  let sum = 0;
  for (let harmonic = 1; harmonic <= 8; harmonic++) sum += Math.sin(harmonic * phase) / harmonic;
  return 0.2 * Math.max(0, Math.sin(8 * Math.PI * seconds)) ** 0.5 * sum;
};

/** A call in which these sources send until the end. */
async function call(untilMs: number, sources: Record<number, SourceOptions>) {
  const rig = await MixRig.start();
  const packets = new Map<number, Uint8Array[]>();
  for (const [source, options] of Object.entries(sources))
    packets.set(Number(source), await rig.add(Number(source), untilMs, options));
  rig.run(untilMs);
  return { rig, packets, heard: await rig.heard() };
}

/** A sine in a stretch of what the phone hears, in seconds: how much of it there is along the sine and along the cosine. */
function find(pcm: Float32Array, hz: number, from: number, to: number): [number, number] {
  const start = Math.round(from * PHONE_RATE_HZ);
  const part = pcm.subarray(start, Math.round(to * PHONE_RATE_HZ));
  let [sine, cosine] = [0, 0];
  for (const [index, sample] of part.entries()) {
    const angle = (2 * Math.PI * hz * (start + index)) / PHONE_RATE_HZ;
    sine += sample * Math.sin(angle);
    cosine += sample * Math.cos(angle);
  }
  return [(2 * sine) / part.length, (2 * cosine) / part.length];
}

const amplitudeOf = (...where: Parameters<typeof find>): number => Math.hypot(...find(...where));

const phaseOf = (...where: Parameters<typeof find>): number => Math.atan2(...find(...where));

const decibels = (ratio: number): number => 20 * Math.log10(ratio);

/** Numbers go up by one and times by 20 ms from packet to packet. */
function expectUnbroken(rig: MixRig): void {
  for (const [index, packet] of rig.sent.slice(1).entries()) {
    const before = rig.sent[index];
    expect((packet.sequence - (before?.sequence ?? 0)) & 0xffff).toBe(1);
    expect((packet.timestamp - (before?.timestamp ?? 0)) >>> 0).toBe(960);
  }
}

describe('several at once', () => {
  it('are heard together, each as loud as alone', async () => {
    const { rig, heard } = await call(5_000, {
      [ANNA]: { signal: sine(440, 0.25), encoder: HYBRID },
      [BEN]: { signal: sine(1_000, 0.12), encoder: SILK, offsetMs: 7 },
      [CARL]: { signal: sine(1_700, 0.06), encoder: CELT, offsetMs: 13 },
    });
    for (const [hz, amplitude] of [
      [440, 0.25],
      [1_000, 0.12],
      [1_700, 0.06],
    ] as const)
      expect(Math.abs(decibels(amplitudeOf(heard, hz, 3, 4) / amplitude))).toBeLessThan(1.5);
    expect(amplitudeOf(heard, 700, 3, 4)).toBeLessThan(0.005);
    expectUnbroken(rig);
  });

  it('a voice and its quiet background are both heard', async () => {
    const { heard } = await call(6_000, {
      [ANNA]: { signal: voice },
      [BEN]: { signal: sine(1_900, 0.02), encoder: CELT, offsetMs: 3 },
    });
    expect(Math.abs(decibels(amplitudeOf(heard, 1_900, 3, 5) / 0.02))).toBeLessThan(2);
  });

  it('too loud together are turned down, not cut off', async () => {
    const { heard } = await call(5_000, {
      [ANNA]: { signal: sine(440, 0.9) },
      [BEN]: { signal: sine(620, 0.9) },
    });
    expect(amplitudeOf(heard, 440, 3, 4)).toBeGreaterThan(0.4);
    expect(amplitudeOf(heard, 620, 3, 4)).toBeGreaterThan(0.4);
    for (const hz of [260, 800, 1_320])
      expect(decibels(amplitudeOf(heard, hz, 3, 4) / amplitudeOf(heard, 440, 3, 4))).toBeLessThan(
        -25,
      );
  });

  it('the first syllable of whoever joins in is whole', async () => {
    // A word of 100 ms, the length of "yes".
    const word = between(2, 2.1, sine(1_500, 0.2));
    const { rig, heard } = await call(5_000, {
      [ANNA]: { signal: sine(440, 0.2), encoder: HYBRID },
      [BEN]: { signal: word, encoder: HYBRID, offsetMs: 11 },
    });
    const energy = (pcm: Float32Array) => {
      let sum = 0;
      for (let at = 1; at < pcm.length / PHONE_RATE_HZ - 0.01; at += 0.01)
        sum += amplitudeOf(pcm, 1_500, at, at + 0.01) ** 2;
      return sum;
    };
    const alone = await call(5_000, { [BEN]: { signal: word, encoder: HYBRID, offsetMs: 11 } });
    expect(decibels(Math.sqrt(energy(heard) / energy(alone.heard)))).toBeGreaterThan(-1.5);
    expectUnbroken(rig);
  });
});

describe('one alone', () => {
  it('passes as it is, and no thread is asked for', async () => {
    let threads = 0;
    const rig = await MixRig.start(() => {
      threads += 1;
      return { post: () => undefined, stop: () => undefined };
    });
    const packets = await rig.add(ANNA, 3_000, { signal: voice });
    rig.run(3_000);
    expect(threads).toBe(0);
    expect(rig.sent.map(({ payload }) => payload).slice(-100)).toEqual(packets.slice(-100));
  });

  it('passes as it is while another one sends nothing but coded silence', async () => {
    const { rig, packets } = await call(6_000, {
      [ANNA]: { signal: voice, encoder: HYBRID },
      // About 35 bytes a packet: only who decodes it knows that nothing is in it.
      [BEN]: { signal: silence, encoder: { ...HYBRID, complexity: 9 }, offsetMs: 5 },
    });
    expect(packets.get(BEN)?.[100]?.length).toBeGreaterThan(20);
    expect(rig.mixed()).toEqual([]);
    expectUnbroken(rig);
  });

  it('passes as it is again once the other one has said nothing for two seconds', async () => {
    const { rig } = await call(7_000, {
      [ANNA]: { signal: voice },
      [BEN]: { signal: between(2, 3, sine(1_000)), encoder: HYBRID, offsetMs: 5 },
    });
    const mixed = rig.mixed();
    const [from = 0, to = 0] = [mixed[0], mixed.at(-1)];
    expect(mixed).toHaveLength(to - from + 1);
    expect(from * 20).toBeGreaterThanOrEqual(2_000);
    expect(from * 20).toBeLessThan(2_150);
    expect(to * 20).toBeGreaterThan(3_000 + TOGETHER_MS - 100);
    expect(to * 20).toBeLessThan(3_000 + TOGETHER_MS + 600);
    expectUnbroken(rig);
  });

  it('is mixed through the pauses of the other one, once', async () => {
    const talk: Signal = (seconds) => (seconds % 1.5 < 0.5 ? voice(seconds) : 0);
    const { rig } = await call(7_000, {
      [ANNA]: { signal: voice },
      [BEN]: { signal: talk, encoder: HYBRID, offsetMs: 5 },
    });
    const mixed = rig.mixed();
    expect(mixed).toHaveLength((mixed.at(-1) ?? 0) - (mixed[0] ?? 0) + 1);
    expect(mixed.length * 20).toBeGreaterThan(6_000);
    expectUnbroken(rig);
  });

  it('whoever speaks next after a long silence passes as well, from the first word on', async () => {
    const { rig, packets, heard } = await call(12_000, {
      [ANNA]: { signal: between(0, 3, sine(440)), encoder: HYBRID },
      [BEN]: { signal: between(6, 12, sine(1_000)), encoder: HYBRID, offsetMs: 9 },
    });
    const ben = new Set(packets.get(BEN)?.map((packet) => Buffer.from(packet).toString('hex')));
    const passed = rig.sent
      .slice(-30)
      .filter(({ payload }) => ben.has(Buffer.from(payload).toString('hex')));
    expect(passed).toHaveLength(30);
    // Nothing of the 6 s is missing, though the stream is a little later after the word than before.
    const spoken = Array.from({ length: 640 }, (_, index) => 5.5 + index / 100).filter(
      (at) =>
        at + 0.05 < heard.length / PHONE_RATE_HZ && amplitudeOf(heard, 1_000, at, at + 0.05) > 0.1,
    );
    expect(spoken.length / 100).toBeGreaterThan(5.5);
    expectUnbroken(rig);
  });
});

describe('from one to the mix and back', () => {
  /** Somebody who cannot be heard over the other one, but is audible: what changes is the way, not the sound. */
  const whisper: SourceOptions = {
    signal: between(1, 1.4, sine(3_100, 0.004)),
    encoder: HYBRID,
    offsetMs: 7,
  };

  /** Highest second difference in a stretch of packets: what a click shows in, and a tone does not. */
  const roughness = (pcm: Float32Array, fromFrame: number, toFrame: number): number => {
    let highest = 0;
    for (let at = fromFrame * PHONE_FRAME; at < toFrame * PHONE_FRAME; at++)
      highest = Math.max(
        highest,
        Math.abs((pcm[at] ?? 0) - 2 * (pcm[at - 1] ?? 0) + (pcm[at - 2] ?? 0)),
      );
    return highest;
  };

  async function switched(signal: Signal, encoder: SourceOptions['encoder']) {
    const options: SourceOptions = encoder ? { signal, encoder } : { signal };
    const { rig, heard } = await call(7_200, { [ANNA]: options, [BEN]: whisper });
    const alone = await call(7_200, { [ANNA]: options });
    const mixed = rig.mixed();
    const [first = 0, last = 0] = [mixed[0], mixed.at(-1)];
    expect(mixed.length).toBeGreaterThan(90);
    expect(mixed).toHaveLength(last - first + 1);
    expectUnbroken(rig);
    return { rig, heard, alone: alone.heard, first, last };
  }

  /** Error of a frame against what would have passed, in dB below that. */
  const errorOf = (heard: Float32Array, alone: Float32Array, frame: number): number => {
    let [difference, signal] = [0, 0];
    for (let index = frame * PHONE_FRAME; index < (frame + 1) * PHONE_FRAME; index++) {
      difference += ((heard[index] ?? 0) - (alone[index] ?? 0)) ** 2;
      signal += (alone[index] ?? 0) ** 2;
    }
    return 10 * Math.log10(difference / signal);
  };

  it.each([
    // A decoder that goes on: as smooth as ever.
    ['SILK', SILK, { factor: 1.5, step: 0 }],
    ['SILK and CELT', HYBRID, { factor: 1.5, step: 0 }],
    // One that begins anew; a step of a tenth of the amplitude would add 0.025.
    ['CELT', CELT, { factor: 1, step: 0.025 }],
  ])('a tone of %s goes on, true and without a click', async (_name, encoder, { factor, step }) => {
    const { heard, alone, first, last } = await switched(sine(440), encoder);
    const usual = Math.max(roughness(alone, 20, 45), roughness(heard, first + 10, last - 10));
    expect(roughness(heard, first - 1, first + 3)).toBeLessThan(factor * usual + step);
    expect(roughness(heard, last, last + 4)).toBeLessThan(factor * usual + step);
    const errors = Array.from({ length: 20 }, (_, index) =>
      errorOf(heard, alone, first + 40 + index),
    );
    expect(errorOf(heard, alone, first)).toBeLessThan(Math.max(...errors) + 3);
  });

  it.each([
    ['SILK', SILK],
    ['SILK and CELT', HYBRID],
    ['CELT', CELT],
    ['narrow SILK', NARROW],
  ])('nothing of a chord of %s is repeated, left out or moved', async (_name, encoder) => {
    const tones = [317, 531, 1_283];
    const chord: Signal = (seconds) => tones.reduce((sum, hz) => sum + sine(hz, 0.1)(seconds), 0);
    const { heard, alone, first, last } = await switched(chord, encoder);
    /**
     * How far each tone is from where it would be if nothing had happened, over 100 ms, in radians. The encoder's
     * high-pass turns the lowest one by 0.2; being 2 ms off would turn one of them by more than 2.
     */
    const apart = (frame: number): number[] =>
      tones.map((hz) => {
        const turn =
          phaseOf(heard, hz, frame / 50, frame / 50 + 0.1) -
          phaseOf(alone, hz, frame / 50, frame / 50 + 0.1);
        return Math.abs(Math.atan2(Math.sin(turn), Math.cos(turn)));
      });
    expect(Math.max(...apart(first - 6))).toBeLessThan(0.001);
    for (const frame of [first + 1, first + 20, last - 20, last - 5, last + 6])
      expect(Math.max(...apart(frame))).toBeLessThan(0.6);
  });

  it('waits for a pause of the one that remains', async () => {
    // A second of tone, half a second of nothing.
    const phrases: Signal = (seconds) => (seconds % 1.5 < 1 ? sine(440)(seconds) : 0);
    const { last, alone } = await switched(phrases, CELT);
    // The first packet that passes again.
    const at = (last + 1) / 50;
    expect(amplitudeOf(alone, 440, at, at + 0.04)).toBeLessThan(0.01);
  });

  it('makes no gap for the phone that is longer than its delay', async () => {
    const { rig, first } = await switched(sine(440), HYBRID);
    const gaps = rig.sent.slice(1).map(({ atMs }, index) => atMs - (rig.sent[index]?.atMs ?? 0));
    expect(Math.max(...gaps)).toBe(gaps[first - 1]);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(80);
  });
});

describe('on the way from a source', () => {
  /** Energy of everything but a tone, in dB below it. */
  const dirt = (pcm: Float32Array, hz: number, from: number, to: number): number => {
    let [rest, tone] = [0, 0];
    for (let at = from; at < to; at += 0.02) {
      const amplitude = amplitudeOf(pcm, hz, at, at + 0.02);
      const part = pcm.subarray(
        Math.round(at * PHONE_RATE_HZ),
        Math.round((at + 0.02) * PHONE_RATE_HZ),
      );
      const energy = part.reduce((sum, sample) => sum + sample ** 2, 0) / part.length;
      tone += amplitude ** 2 / 2;
      rest += Math.max(0, energy - amplitude ** 2 / 2);
    }
    return 10 * Math.log10(rest / tone);
  };

  /** Anna pauses for good after a word, so that what is mixed is Ben alone; numbers of his packets to their delay. */
  async function mixOf(delayMs: (packet: number) => number | undefined) {
    const { rig, heard } = await call(3_500, {
      [ANNA]: { signal: between(0, 1.6, sine(300, 0.05)), encoder: HYBRID },
      [BEN]: {
        signal: between(1, 9, sine(1_000)),
        encoder: { ...SILK, complexity: 9 },
        offsetMs: 7,
        delayMs,
      },
    });
    expect(rig.mixed().length).toBeGreaterThan(100);
    expectUnbroken(rig);
    const levels = Array.from({ length: 120 }, (_, index) => {
      const at = 2 + index / 100;
      return decibels(amplitudeOf(heard, 1_000, at, at + 0.01) / 0.25);
    });
    return { dirt: dirt(heard, 1_000, 2, 3.2), lowest: Math.min(...levels) };
  }

  it('jitter and disorder within the delay change nothing', async () => {
    const clean = await mixOf(() => 5);
    const uneven = await mixOf((packet) => [0, 30, 5, 45, 20][packet % 5]);
    expect(uneven.dirt).toBeLessThan(clean.dirt + 3);
    expect(uneven.lowest).toBeGreaterThan(-1.5);
  });

  it('lost packets are made up: no silence, no noise', async () => {
    const lossy = await mixOf((packet) => (packet % 11 === 10 ? undefined : 5));
    expect(lossy.dirt).toBeLessThan(-12);
    expect(lossy.lowest).toBeGreaterThan(-4);
  });

  it('the delay that a stall has caused is gone after the next pauses', async () => {
    const beeps: Signal = (seconds) => (seconds % 0.5 < 0.1 ? sine(1_500, 0.2)(seconds) : 0);
    // 200 ms in which nothing comes, and then all of it.
    const stall = (packet: number) => (packet >= 150 && packet < 160 ? (160 - packet) * 20 : 0);
    const { rig, heard } = await call(9_000, {
      [ANNA]: { signal: sine(440, 0.1), encoder: HYBRID },
      [BEN]: { signal: beeps, encoder: HYBRID, offsetMs: 7, delayMs: stall },
    });
    /** How much later than said a beep begins to be heard, in ms. */
    const lateMs = (seconds: number): number => {
      for (let ms = -100; ms < 400; ms += 5) {
        const at = seconds + ms / 1000;
        if (amplitudeOf(heard, 1_500, at, at + 0.01) > 0.08) return ms;
      }
      return Infinity;
    };
    const before = lateMs(2.5);
    expect(lateMs(3.5)).toBeGreaterThan(before + 30);
    expect(lateMs(8.5)).toBeLessThan(before + 30);
    expectUnbroken(rig);
  });

  it('a source in DTX is silence between its packets, without noise of the relay’s own', async () => {
    const { rig, heard } = await call(6_000, {
      [ANNA]: { signal: between(0, 1, sine(1_000)), encoder: { ...SILK, dtx: true } },
      [BEN]: { signal: between(0, 1, sine(1_400)), encoder: { ...SILK, dtx: true }, offsetMs: 7 },
    });
    expect(rig.mixed().length).toBeGreaterThan(50);
    const part = heard.subarray(1.4 * PHONE_RATE_HZ, 2.4 * PHONE_RATE_HZ);
    expect(Math.max(...part.map(Math.abs))).toBeLessThan(0.001);
    expectUnbroken(rig);
  });
});

describe('a form that WhatsApp does not take', () => {
  it.each([
    ['10 ms', { frameMs: 10, encoder: HYBRID }],
    ['40 ms', { frameMs: 40, encoder: SILK }],
    ['60 ms', { frameMs: 60, encoder: SILK }],
    ['stereo', { encoder: { bitrate: 64_000, channels: 2 as const } }],
  ])(
    'packets of %s are coded anew, also of the only source, from the first word on',
    async (_name, options) => {
      const { rig, heard } = await call(3_000, {
        [ANNA]: { signal: between(0.5, 9, sine(440)), ...options },
      });
      expect(rig.mixed().length).toBeGreaterThan(100);
      expect(rig.sent.filter(({ payload }) => !isPlain(payload, 0, payload.length))).toEqual([]);
      expect(Math.abs(decibels(amplitudeOf(heard, 440, 1.5, 2.5) / 0.25))).toBeLessThan(1.5);
      const toneMs = Array.from({ length: 300 }, (_, index) => index / 100).filter(
        (at) =>
          at + 0.02 < heard.length / PHONE_RATE_HZ && amplitudeOf(heard, 440, at, at + 0.02) > 0.12,
      ).length;
      // Of 2.5 s, less what is still under way at the end.
      expect(toneMs * 10).toBeGreaterThan(2_500 - 250);
      expectUnbroken(rig);
    },
  );

  it('is mixed with others', async () => {
    const { rig, heard } = await call(4_000, {
      [ANNA]: { signal: sine(440), frameMs: 60, encoder: SILK },
      [BEN]: { signal: sine(1_000, 0.1), encoder: HYBRID, offsetMs: 31 },
    });
    expect(Math.abs(decibels(amplitudeOf(heard, 440, 2.5, 3.5) / 0.25))).toBeLessThan(1.5);
    expect(Math.abs(decibels(amplitudeOf(heard, 1_000, 2.5, 3.5) / 0.1))).toBeLessThan(1.5);
    expectUnbroken(rig);
  });
});

describe('who must not be heard any more', () => {
  it('is not heard from the next packet on, in the mix too', async () => {
    const rig = await MixRig.start();
    await rig.add(ANNA, 6_000, { signal: sine(440) });
    // So late and so uneven that much of it waits in buffers.
    const delayMs = (packet: number) => 40 + (packet % 4) * 15;
    await rig.add(BEN, 6_000, { signal: sine(1_000), encoder: HYBRID, delayMs });
    rig.run(4_003);
    rig.forget(BEN);
    const at = rig.sent.length;
    rig.run(6_000);
    const heard = await rig.heard();
    const from = at / 50;
    expect(amplitudeOf(heard, 1_000, from - 0.5, from)).toBeGreaterThan(0.2);
    // The encoder's own delay of 6.5 ms is in the first packet.
    expect(amplitudeOf(heard, 1_000, from + 0.02, from + 0.22)).toBeLessThan(0.01);
    expect(amplitudeOf(heard, 440, from + 0.1, from + 0.3)).toBeGreaterThan(0.2);
  });

  it('leaves a call with nobody without a mix', async () => {
    const rig = await MixRig.start();
    await rig.add(ANNA, 4_000, { signal: sine(440) });
    await rig.add(BEN, 4_000, { signal: sine(1_000), encoder: HYBRID });
    rig.run(3_000);
    const mixed = rig.mixed().length;
    expect(mixed).toBeGreaterThan(50);
    rig.forget(ANNA);
    rig.forget(BEN);
    rig.run(4_000);
    expect(rig.mixed()).toHaveLength(mixed);
    expectUnbroken(rig);
  });
});

it('what of a mix must not be heard any more is no loss for those who go on', async () => {
  const answers: ArrayBuffer[] = [];
  const rig = await MixRig.start((handlers) => {
    const desk = new MixDesk(codec);
    return {
      // An answer is a tick late, as it is between threads.
      post: (batch) => {
        answers.push(desk.work(batch));
        const [earlier] = answers.length > 1 ? answers.splice(0, 1) : [];
        if (earlier) handlers.onAnswer(earlier);
      },
      stop: () => undefined,
    };
  });
  await rig.add(ANNA, 4_000, { signal: sine(440) });
  await rig.add(BEN, 4_000, { signal: sine(1_000), encoder: HYBRID });
  await rig.add(CARL, 4_000, { signal: sine(1_500), encoder: HYBRID });
  rig.run(3_000);
  expect(rig.mixed().length).toBeGreaterThan(50);
  // Whatever the tick, one of these comes while a packet is on its way.
  rig.forget(CARL);
  rig.run(3_010);
  rig.forget(BEN);
  rig.run(4_000);
  expectUnbroken(rig);
});

describe('without a thread', () => {
  /** A thread that can be told to end. */
  function mortalThread() {
    const threads: { end: () => void }[] = [];
    const start: StartMixThread = (handlers) => {
      const desk = new MixDesk(codec);
      const thread = { isAlive: true, end: () => handlers.onDown('for the test') };
      threads.push(thread);
      return {
        post: (batch) => handlers.onAnswer(desk.work(batch)),
        stop: () => undefined,
      };
    };
    return { threads, start };
  }

  it('the loudest passes at once, and the mix comes back with another thread', async () => {
    const { threads, start } = mortalThread();
    const rig = await MixRig.start(start);
    const packets = await rig.add(ANNA, 8_000, { signal: sine(440, 0.3), encoder: HYBRID });
    await rig.add(BEN, 8_000, { signal: sine(1_000, 0.05), encoder: HYBRID, offsetMs: 7 });
    rig.run(3_000);
    const before = rig.mixed().length;
    expect(before).toBeGreaterThan(100);
    threads[0]?.end();
    const at = rig.sent.length;
    rig.run(3_000 + RETRY_MS - 50);
    expect(rig.mixed()).toHaveLength(before);
    const own = new Set(packets.map((packet) => Buffer.from(packet).toString('hex')));
    const passed = rig.sent
      .slice(at + 2)
      .filter(({ payload }) => own.has(Buffer.from(payload).toString('hex')));
    expect(passed.length).toBeGreaterThan(40);
    rig.run(8_000);
    expect(threads).toHaveLength(2);
    const heard = await rig.heard();
    expect(amplitudeOf(heard, 440, 6.5, 7.5)).toBeGreaterThan(0.2);
    expect(amplitudeOf(heard, 1_000, 6.5, 7.5)).toBeGreaterThan(0.04);
  });

  it('a call in which there is never one hears whoever speaks', async () => {
    const rig = await MixRig.start((handlers) => ({
      post: () => handlers.onDown('cannot run here'),
      stop: () => undefined,
    }));
    await rig.add(ANNA, 3_000, { signal: voice, encoder: HYBRID });
    await rig.add(BEN, 3_000, { signal: sine(1_000, 0.05), encoder: HYBRID, offsetMs: 7 });
    rig.run(3_000);
    expect(rig.mixed()).toEqual([]);
    expect(rig.sent.length).toBeGreaterThan(145);
    expectUnbroken(rig);
  });
});
