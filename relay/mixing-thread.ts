// Entry of a mixing thread: answers every batch of records with one of its own. `relay/mixing.ts` is the other end.
import { parentPort } from 'node:worker_threads';
import { loadOpus } from './adapters/opus.ts';
import { MixDesk } from './domain/mix-desk.ts';

if (!parentPort) throw new Error('relay/mixing-thread.ts runs in a worker thread only');
const port = parentPort;
const desk = new MixDesk(await loadOpus());
port.on('message', (batch: ArrayBuffer) => {
  const answer = desk.work(batch);
  port.postMessage(answer, [answer]);
});
