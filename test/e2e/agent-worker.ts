// An AI agent's worker as LiveKit knows them: registers under a name, takes the job that a dispatch makes, and says with which
// token the agent joins. Speaks LiveKit's own worker protocol, without its agents framework.
import {
  AvailabilityResponse,
  JobStatus,
  JobType,
  RegisterWorkerRequest,
  ServerMessage,
  UpdateJobStatus,
  WorkerMessage,
  type JobAssignment,
} from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import { WebSocket } from 'ws';
import type { LiveKit } from '../support/livekit-server.ts';

/** A job that was given to the worker. */
export type AgentJob = { room: string; metadata: string; agentName: string; token: string };

const JOB_MS_MAX = 15_000;

/** See the head of this file. */
export class AgentWorker {
  readonly #socket: WebSocket;
  readonly #jobs: AgentJob[] = [];
  #wake: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** Registers; resolves once LiveKit has confirmed it. @throws when it refuses */
  static async register(livekit: LiveKit, agentName: string): Promise<AgentWorker> {
    const token = new AccessToken(livekit.apiKey, livekit.apiSecret, { identity: agentName });
    token.addGrant({ agent: true });
    const socket = new WebSocket(`${livekit.url}/agent`, {
      headers: { authorization: `Bearer ${await token.toJwt()}` },
    });
    const worker = new AgentWorker(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('open', () => {
        const value = new RegisterWorkerRequest({
          type: JobType.JT_ROOM,
          agentName,
          version: '1.0.0',
        });
        worker.#send({ case: 'register', value });
      });
      socket.on('message', (bytes: Buffer) => {
        const { message } = ServerMessage.fromBinary(bytes);
        if (message.case === 'register') resolve();
        else worker.#on(message);
      });
    });
    return worker;
  }

  #on(message: ServerMessage['message']): void {
    if (message.case === 'availability') {
      const jobId = message.value.job?.id ?? '';
      const value = new AvailabilityResponse({
        jobId,
        available: true,
        participantIdentity: `ai-${jobId}`,
        participantName: 'Assistant',
      });
      this.#send({ case: 'availability', value });
    } else if (message.case === 'assignment') this.#take(message.value);
  }

  #take({ job, token }: JobAssignment): void {
    const value = new UpdateJobStatus({ jobId: job?.id ?? '', status: JobStatus.JS_RUNNING });
    this.#send({ case: 'updateJob', value });
    this.#jobs.push({
      room: job?.room?.name ?? '',
      metadata: job?.metadata ?? '',
      agentName: job?.agentName ?? '',
      token,
    });
    this.#wake();
  }

  #send(message: WorkerMessage['message']): void {
    this.#socket.send(new WorkerMessage({ message }).toBinary());
  }

  /** The job in this room, once there is one. @throws after 15 s */
  async job(room: string): Promise<AgentJob> {
    const timeout = AbortSignal.timeout(JOB_MS_MAX);
    for (;;) {
      const job = this.#jobs.find((candidate) => candidate.room === room);
      if (job) return job;
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        timeout.addEventListener('abort', () => reject(new Error(`no job in ${room}`)));
      });
    }
  }

  /** How many jobs came for this room. */
  countOf(room: string): number {
    return this.#jobs.filter((job) => job.room === room).length;
  }

  close(): void {
    this.#socket.close();
  }
}
