// What mixing costs: N calls with two agents who speak all the time, through the relay's voices and its mixing threads, without
// a network. The packets are what a browser sends of a voice: 48 kHz, 32 kbit/s.
import { createEncoder } from 'libopus-wasm';
import { setTimeout as delay } from 'node:timers/promises';
import { startMixWorker } from '../../relay/adapters/mixing-worker.ts';
import { createTicker } from '../../relay/adapters/ticker.ts';
import { writeRtpHeader } from '../../relay/domain/rtp.ts';
import { Mixing } from '../../relay/mixing.ts';
import type { Clock, Log } from '../../relay/ports.ts';
import { Pump } from '../../relay/pump.ts';
import { Voices } from '../../relay/voices.ts';
import { rssMbOf } from './process-usage.ts';

const LEVELS = [1, 10, 30, 50];
const WARM_UP_MS = 3_000;
const MEASURE_MS = 10_000;

const FRAME_MS = 20;
const SAMPLE_RATE_HZ = 48_000;
const FRAME_SAMPLES = (SAMPLE_RATE_HZ / 1000) * FRAME_MS;
/** Packets of a voice until it repeats: 2 s. */
const LOOP_PACKETS = 100;
const AGENTS = [1, 2];

const clock: Clock = { nowMs: () => performance.now(), wallMs: () => Date.now() };
const nothing = () => undefined;
const lost: string[] = [];
const log: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: (fields, event) => lost.push(`${event}: ${String(fields['detail'])}`),
};

type Level = {
  calls: number;
  /** Of one core, in percent: everything, and what the same calls cost while one of the two agents is silent. */
  cpu_per_call: number;
  passing_per_call: number;
  rss_mb: number;
  /** Packets that were mixed, and that should have been. */
  mixed: number;
  expected: number;
  void: boolean;
};

/** With a smaller share of the packets mixed the threads did not get the CPU, and the figures mean nothing. */
const MIXED_MIN = 0.95;

/** @param args levels other than the usual ones, such as `1 50` */
export async function run(args: string[]): Promise<object> {
  const counts = args.length > 0 ? args.map(Number) : LEVELS;
  const packets = [await encodedVoice(140), await encodedVoice(205)];
  const levels: Level[] = [];
  for (const calls of counts) levels.push(await measureLevel(calls, packets));
  printLevels(levels);
  if (lost.length > 0) console.log(`threads were lost: ${lost.join(', ')}`);
  const top = levels.at(-1);
  const mixingPerCall = round((top?.cpu_per_call ?? NaN) - (top?.passing_per_call ?? NaN));
  return {
    mixed_calls_per_core: round(100 / (top?.cpu_per_call ?? NaN)),
    mixing_per_call: mixingPerCall,
    lost: lost.length,
    void: levels.some((level) => level.void),
    levels,
  };
}

/** A gliding buzz, four syllables a second. */
async function encodedVoice(pitchHz: number): Promise<Uint8Array[]> {
  const encoder = await createEncoder({
    sampleRate: SAMPLE_RATE_HZ,
    channels: 1,
    application: 2048,
    bitrate: 32_000,
    fec: true,
    packetLossPercent: 5,
  });
  const packets: Uint8Array[] = [];
  for (let number = 0; number < LOOP_PACKETS; number++) {
    const pcm = Float32Array.from({ length: FRAME_SAMPLES }, (_, index) => {
      const at = (number * FRAME_SAMPLES + index) / SAMPLE_RATE_HZ;
      const phase = 2 * Math.PI * (pitchHz * at + 12 * (1 - Math.cos(Math.PI * at)));
      let sum = 0;
      for (let harmonic = 1; harmonic <= 8; harmonic++)
        sum += Math.sin(harmonic * phase) / harmonic;
      return 0.15 * Math.max(0, Math.sin(8 * Math.PI * at)) ** 0.5 * sum;
    });
    packets.push(encoder.encodeFloat(pcm));
  }
  encoder.free();
  return packets;
}

async function measureLevel(calls: number, packets: readonly Uint8Array[][]): Promise<Level> {
  const mixed = await measure(calls, packets);
  const passing = await measure(calls, packets.slice(0, 1));
  const expected = (calls * MEASURE_MS) / FRAME_MS;
  return {
    calls,
    cpu_per_call: round(mixed.cpu / calls),
    passing_per_call: round(passing.cpu / calls),
    rss_mb: Math.round(mixed.rssMb),
    mixed: mixed.mixed,
    expected,
    void: mixed.mixed < MIXED_MIN * expected,
  };
}

/** Runs calls in which these voices speak; each call has its own moment within the 20 ms. */
async function measure(
  calls: number,
  voices: readonly Uint8Array[][],
): Promise<{ cpu: number; rssMb: number; mixed: number }> {
  const ticker = createTicker(clock, log);
  const mixing = new Mixing({ startThread: startMixWorker, threadsMax: 1, ticker, clock, log });
  let mixed = 0;
  const lines = Array.from({ length: calls }, (_, index) => {
    const pump = new Pump({ sequence: 0, timestamp: 0 }, nothing);
    const call = new Voices(pump, {
      clock,
      openMixLine: (handlers) =>
        mixing.open({
          ...handlers,
          onPacket: (packet) => {
            mixed += 1;
            handlers.onPacket(packet);
          },
        }),
    });
    const nowMs = clock.nowMs();
    pump.start({ ssrc: 1, payloadType: 111, audioLevelId: 0, cname: 'bench' }, nowMs);
    pump.open(nowMs);
    const dueMs = nowMs + (index * FRAME_MS) / calls;
    return { pump, call, dueMs, number: 0 };
  });
  const removals = lines.map(({ pump, call }) =>
    ticker.add((nowMs) => {
      call.tick(nowMs);
      pump.tick(nowMs);
    }),
  );
  const sender = setInterval(() => {
    const nowMs = clock.nowMs();
    for (const line of lines) {
      for (; line.dueMs <= nowMs; line.dueMs += FRAME_MS) {
        for (const [index, packets] of voices.entries())
          say(line, AGENTS[index] ?? 0, packets[line.number % LOOP_PACKETS], nowMs);
        line.number += 1;
      }
    }
  }, 1);
  await delay(WARM_UP_MS);
  mixed = 0;
  const fromMs = clock.nowMs();
  const before = process.cpuUsage();
  await delay(MEASURE_MS);
  const { user, system } = process.cpuUsage(before);
  const cpu = (user + system) / 10 / (clock.nowMs() - fromMs);
  const result = { cpu, rssMb: rssMbOf(process.pid), mixed };
  clearInterval(sender);
  for (const remove of removals) remove();
  mixing.stop();
  return result;
}

function say(
  { pump, call, number }: { pump: Pump; call: Voices; number: number },
  source: number,
  payload: Uint8Array | undefined,
  nowMs: number,
): void {
  if (!payload) return;
  const bytes = new Uint8Array(12 + payload.length);
  writeRtpHeader(bytes, 111, false, number & 0xffff, number * FRAME_SAMPLES, source, 0, 0);
  bytes.set(payload, 12);
  const view = pump.receive(bytes, 0);
  if (view) call.said(source, bytes, view, nowMs);
}

const round = (value: number): number => Math.round(value * 100) / 100;

function printLevels(levels: readonly Level[]): void {
  console.log('calls  CPU/call, mixed  one agent, passing  RSS     mixed packets / expected');
  for (const level of levels) {
    console.log(
      [
        String(level.calls).padEnd(6),
        `${level.cpu_per_call} %`.padEnd(16),
        `${level.passing_per_call} %`.padEnd(19),
        `${level.rss_mb} MB`.padEnd(7),
        `${level.mixed} / ${level.expected}${level.void ? ' VOID: the machine was busy' : ''}`,
      ].join(' '),
    );
  }
  console.log(
    'CPU in percent of one core. The machine may do other things: ratios count, absolutes do not.',
  );
}
