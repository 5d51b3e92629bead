// An AI agent for calls of Roomline, without a model: it says a tone, listens for another one, and then hands the caller over to
// a person. What a real one does differently is between `hears` and `say`.
import {
  AgentServer,
  AutoSubscribe,
  defineAgent,
  ServerOptions,
  initializeLogger,
  type JobContext,
} from '@livekit/agents';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
  type RemoteParticipant,
  type RemoteTrack,
} from '@livekit/rtc-node';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { isTone, SAMPLE_RATE_HZ, tone } from './tone.ts';

/** What the rule writes into `metadata`; Roomline passes it on as it is. */
const orders = z.object({
  say_hz: z.number().default(700),
  /** Heard from the caller, it means that they want a person. */
  person_hz: z.number().default(600),
  /** Who that person is. */
  to: z.looseObject({}).default({ team: 'sales' }),
  summary: z.string().default('The caller wants to speak with a person.'),
  /** Said once nobody has taken the call. */
  sorry_hz: z.number().default(850),
});

/** Calls that one machine takes at once. */
const CALLS_MAX = 10;
const FRAME_SAMPLES = SAMPLE_RATE_HZ / 100;
const WINDOW_SAMPLES = SAMPLE_RATE_HZ / 25;

export default defineAgent({
  async entry(job: JobContext) {
    const order = orders.parse(JSON.parse(job.job.metadata || '{}'));
    await job.connect(undefined, AutoSubscribe.AUDIO_ONLY);
    const voice = new Voice();
    // With a microphone the agent is ready: the call is answered, and the caller hears it.
    await voice.publish(job);
    voice.say(order.say_hz);

    const caller = await job.waitForParticipant();
    console.log('caller', caller.identity, caller.attributes);
    job.room.on(RoomEvent.ParticipantAttributesChanged, (changed, participant) => {
      // Nobody has taken the call: the caller is still here.
      if (participant.identity === caller.identity && changed['roomline.transfer'] === 'failed')
        voice.say(order.sorry_hz);
    });
    await hears(job, caller, order.person_hz);
    await job.room.localParticipant?.performRpc({
      destinationIdentity: caller.identity,
      method: 'roomline.transfer',
      payload: JSON.stringify({ to: order.to, summary: order.summary }),
    });
    // From here on Roomline decides: it removes the agent once a person is heard.
  },
});

/** Says one tone without end. */
class Voice {
  readonly #source = new AudioSource(SAMPLE_RATE_HZ, 1, 100);
  #hz = 0;

  async publish(job: JobContext): Promise<void> {
    const track = LocalAudioTrack.createAudioTrack('voice', this.#source);
    const options = new TrackPublishOptions({ source: TrackSource.SOURCE_MICROPHONE, dtx: false });
    void this.#pump(job);
    await job.room.localParticipant?.publishTrack(track, options);
  }

  say(hz: number): void {
    this.#hz = hz;
  }

  /** Feeds the source; it answers only when it has room, which sets the pace. */
  async #pump({ room }: JobContext): Promise<void> {
    for (let sample = 0; room.isConnected; sample += FRAME_SAMPLES) {
      const pcm = tone(this.#hz, FRAME_SAMPLES, sample);
      await this.#source.captureFrame(new AudioFrame(pcm, SAMPLE_RATE_HZ, 1, FRAME_SAMPLES));
    }
  }
}

/** Resolves when the caller makes this tone. */
async function hears(job: JobContext, caller: RemoteParticipant, hz: number): Promise<void> {
  const window = new Int16Array(WINDOW_SAMPLES);
  let filled = 0;
  for await (const { data } of new AudioStream(await trackOf(job, caller), SAMPLE_RATE_HZ, 1)) {
    for (const sample of data) {
      window[filled++] = sample;
      if (filled < WINDOW_SAMPLES) continue;
      if (isTone(window, hz)) return;
      filled = 0;
    }
  }
}

async function trackOf({ room }: JobContext, caller: RemoteParticipant): Promise<RemoteTrack> {
  for (const { track } of caller.trackPublications.values())
    if (track?.kind === TrackKind.KIND_AUDIO) return track;
  return new Promise((resolve) => {
    room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
      if (participant.identity === caller.identity) resolve(track);
    });
  });
}

// The framework loads this file again in a process for each job.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  initializeLogger({ pretty: false, level: 'info' });
  const server = new AgentServer(
    new ServerOptions({
      agent: fileURLToPath(import.meta.url),
      // LiveKit sends agents without a name into every room; Roomline asks for this one.
      agentName: process.env['AGENT_NAME'] ?? 'sample',
      wsURL: process.env['LIVEKIT_URL'] ?? 'ws://127.0.0.1:7880',
      // For health checks.
      host: '127.0.0.1',
      // Jobs begin at once where a process waits for them.
      numIdleProcesses: 1,
      // By default the CPU counts, and LiveKit sends nothing to a machine that is busy with something else (server 1.13.5).
      loadFunc: (worker) => Promise.resolve(worker.activeJobs.length / CALLS_MAX),
    }),
  );
  server.event.once('worker_registered', () => console.log('registered'));
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => void server.close().then(() => process.exit(0)));
  await server.run();
}
