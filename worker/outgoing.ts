// Requests to the provider and to LiveKit, made in the stateless worker on the Switchboard's behalf, so that slow replies cannot
// use up the Switchboard's connections.
import { WorkerEntrypoint } from 'cloudflare:workers';
import { drizzle } from 'drizzle-orm/d1';
import { createDirectory } from './adapters/directory-d1.ts';
import { actOnCall } from './adapters/graph-meta.ts';
import { doRoomJob } from './adapters/livekit.ts';
import { unseal } from './adapters/sealed-secret.ts';
import { parseConfig } from './config.ts';
import type { CallId, NumberId } from './domain/ids.ts';
import type { Job, JobResult } from './domain/job.ts';
import type { Env } from './env.ts';

/** What a job needs to know of its call; credentials are looked up here and never stored with the job. */
export interface JobSubject {
  readonly callId: CallId;
  readonly numberId: NumberId;
  readonly providerCallId: string;
  readonly answerSdp: string | null;
}

export class Outgoing extends WorkerEntrypoint<Env> {
  /** Runs one job once. Never throws: whatever happens is a result. */
  async run(subject: JobSubject, job: Job): Promise<JobResult> {
    try {
      const config = parseConfig({ ...this.env });
      if (job.lane === 'room') {
        const access = {
          url: config.LIVEKIT_URL,
          apiKey: config.LIVEKIT_API_KEY,
          apiSecret: config.LIVEKIT_API_SECRET,
        };
        return await doRoomJob(access, subject.callId, job);
      }
      const number = await createDirectory(drizzle(this.env.DB)).findNumber(subject.numberId);
      if (!number) return { ok: false, kind: 'refused', message: 'the number is not registered' };
      const carriesAnswer = job.action === 'pre_accept' || job.action === 'accept';
      return await actOnCall({
        baseUrl: number.apiBaseUrl,
        version: config.GRAPH_VERSION,
        phoneNumberId: number.phoneNumberId,
        accessToken: await unseal(config.TOKEN_ENCRYPTION_KEYS, number.id, number.sealed),
        action: job.action,
        providerCallId: subject.providerCallId,
        answerSdp: carriesAnswer ? subject.answerSdp : null,
      });
    } catch (error) {
      console.error('outgoing.failed', { callId: subject.callId, error: String(error) });
      // Failed before anything was sent: the record could not be read, or a key is missing.
      return { ok: false, kind: 'unavailable', message: 'the request could not be prepared' };
    }
  }
}
