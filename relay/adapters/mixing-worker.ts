// A mixing thread as a worker thread of Node.
import { Worker } from 'node:worker_threads';
import type { StartMixThread } from '../ports.ts';

/**
 * JavaScript needs next to nothing here: what the codecs hold is memory of WebAssembly, 60 kB a source and call. A thread that
 * takes more has a leak, and ends instead of the process.
 */
const HEAP_MB_MAX = 128;

const ENTRY = new URL('../mixing-thread.ts', import.meta.url);

/** Starts a thread. It does not keep the process alive. */
export const startMixWorker: StartMixThread = (handlers) => {
  const worker = new Worker(ENTRY, {
    name: 'mixing',
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  });
  worker.unref();
  worker.on('message', (answer: ArrayBuffer) => handlers.onAnswer(answer));
  worker.on('error', (error) => handlers.onDown(String(error)));
  worker.on('exit', (code) => handlers.onDown(`exited with ${code}`));
  return {
    post: (batch) => worker.postMessage(batch, [batch]),
    stop: () => void worker.terminate(),
  };
};
