// The relay put together from its parts. What runs in the process (signals, exit) is the entry file's.
import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createJoinRoom } from './adapters/livekit-room.ts';
import { startMixWorker } from './adapters/mixing-worker.ts';
import { createFetchPrompt } from './adapters/prompt-file.ts';
import { createRecordingFolder, recordingsOf } from './adapters/recording-disk.ts';
import { loadSounds } from './adapters/sounds.ts';
import { createTicker } from './adapters/ticker.ts';
import { createUpload } from './adapters/upload.ts';
import { createOfferLeg, createOpenLeg } from './adapters/whatsapp-leg.ts';
import type { Config } from './config.ts';
import { serveHealth } from './health.ts';
import { Link, REPLACED } from './link.ts';
import { cpuTimes, Load } from './load.ts';
import { Metrics } from './metrics.ts';
import { Mixing } from './mixing.ts';
import type { Clock, Log } from './ports.ts';
import type { ProcessReport } from './process-report.ts';
import { Prompts } from './prompts.ts';
import { Recordings } from './recordings.ts';
import { qualityFrames, QUALITY_INTERVAL_MS } from './quality-reports.ts';
import { Registry } from './registry.ts';

/** How long the last reports may take to be acknowledged before the process goes anyway. */
const FLUSH_MS_MAX = 5_000;

/** How long recordings may take to reach the worker before the process goes anyway; the next one brings the rest. */
const UPLOAD_MS_MAX = 60_000;

/** What more threads than these mix is more than one process forwards. */
const MIX_THREADS_MAX = 4;

export type Relay = {
  /** Takes no new calls; resolves when the last one is over and reported. Repeating it changes nothing. */
  drain: () => Promise<void>;
  /** Ends every call; `drain` then resolves soon. */
  endCalls: () => void;
  /** What it says of itself at this moment. */
  report: () => Promise<ProcessReport>;
};

const clock: Clock = { nowMs: () => performance.now(), wallMs: () => Date.now() };

/**
 * Starts a relay: it dials the worker and takes calls until drained.
 *
 * @param cores how many this process has for itself; forwarding takes one, mixing the others, and one thread if there are none
 */
export async function startRelay(config: Config, log: Log, cores = 1): Promise<Relay> {
  const legOptions = {
    ports: config.RELAY_UDP_PORTS,
    bindAddress: config.RELAY_BIND_ADDRESS,
    publicAddress: config.RELAY_PUBLIC_ADDRESS,
  };
  const workerOptions = {
    url: config.ROOMLINE_URL,
    relayId: config.RELAY_ID,
    secret: config.RELAY_SECRET,
  };
  const sounds = loadSounds();
  const prompts = new Prompts({
    fetchPrompt: createFetchPrompt(workerOptions),
    ownSounds: sounds.byName,
  });
  const roomOptions = { url: config.RELAY_LIVEKIT_URL, bindAddress: config.RELAY_BIND_ADDRESS };
  const metrics: Metrics = new Metrics(clock, () => ({
    calls: registry.liveCalls().length,
    capacity: registry.capacity,
    isDraining: registry.isDraining,
    isOverloaded: registry.isOverloaded,
    isConnected: link.isConnected,
    unacknowledged: link.outbox.size,
    dropped: link.outbox.dropped,
  }));
  const ticker = metrics.measured(createTicker(clock, log));
  const mixing = new Mixing({
    startThread: startMixWorker,
    threadsMax: Math.min(MIX_THREADS_MAX, Math.max(1, Math.floor(cores) - 1)),
    ticker,
    clock,
    log,
  });
  const recordings = new Recordings({
    folder: createRecordingFolder(recordingsOf(config.RELAY_RECORDINGS_DIR, config.RELAY_ID)),
    upload: createUpload(workerOptions),
    clock,
    log,
    random: (below) => randomInt(below),
  });
  metrics.showRecordings(() => recordings.figures);
  const registry: Registry = new Registry(config.RELAY_CAPACITY, {
    openLeg: createOpenLeg(legOptions, log),
    offerLeg: createOfferLeg(legOptions, log),
    joinRoom: createJoinRoom(roomOptions, log),
    holdSound: sounds.hold,
    loadPrompt: prompts.load,
    clock,
    ticker,
    openMixLine: mixing.open,
    openRecorder: recordings.open,
    log,
    random: (below) => randomInt(below),
    emit: (event) => {
      metrics.reported(event);
      link.emit(event);
    },
    onTaken: (callId) => metrics.taken(callId),
    emitIs: (callId, rev) => link.report({ type: 'call.is', call_id: callId, rev }),
  });
  const link: Link = new Link(
    workerOptions,
    randomUUID(),
    {
      state: () => {
        metrics.connected();
        return {
          capacity: registry.capacity,
          draining: registry.isDraining,
          accepts: !registry.isOverloaded,
          calls: registry.liveCalls(),
        };
      },
      onFrame: (frame) => registry.handle(frame),
      onReplaced: () => registry.closeAll('replaced'),
    },
    clock,
    log,
  );
  const unready = () => {
    if (registry.isDraining) return 'draining';
    if (link.isReplaced) return REPLACED;
    if (registry.isOverloaded) return 'overloaded';
    return link.isConnected ? undefined : 'not connected to the worker';
  };
  const stopHealth =
    config.RELAY_HTTP_PORT === undefined
      ? () => undefined
      : await serveHealth(
          { port: config.RELAY_HTTP_PORT, address: config.RELAY_HTTP_ADDRESS },
          { unready: async () => unready(), metricsText: () => metrics.text() },
        );
  const load = new Load(cores, config.RELAY_CPU_MAX, {
    clock,
    cpuTimes,
    liveCalls: () => registry.liveCalls().length,
    onChange: (isOverloaded) => {
      registry.isOverloaded = isOverloaded;
      link.report({ type: 'load', accepts: !isOverloaded });
      const fields = { live: registry.liveCalls().length };
      log.warn(fields, isOverloaded ? 'relay.overloaded' : 'relay.accepts-again');
    },
  });
  const stopWatching = metrics.watchEventLoop(load.tick);
  const reporting = setInterval(() => {
    for (const frame of qualityFrames(registry.figures())) link.offer(frame);
  }, QUALITY_INTERVAL_MS);
  reporting.unref();
  link.start();
  await recordings.start();

  /** Nobody wants to wait any longer. */
  const isStopped = Promise.withResolvers<void>();
  let drained: Promise<void> | undefined;
  const drain = async () => {
    const empty = registry.drain();
    link.report({ type: 'draining' });
    log.info({ live: registry.liveCalls().length }, 'relay.draining');
    await empty;
    mixing.stop();
    const enough = [sleep(UPLOAD_MS_MAX, undefined, { ref: false }), isStopped.promise];
    await Promise.all([link.flush(FLUSH_MS_MAX), recordings.settle(Promise.race(enough))]);
    clearInterval(reporting);
    link.stop();
    stopHealth();
    stopWatching();
  };
  return {
    drain: () => (drained ??= drain()),
    endCalls: () => {
      registry.closeAll('relay stopped');
      void sleep(FLUSH_MS_MAX, undefined, { ref: false }).then(isStopped.resolve);
    },
    report: async () => ({ unready: unready() ?? null, metrics: await metrics.values() }),
  };
}
