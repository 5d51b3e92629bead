// What a relay counts and measures, as Prometheus reads it. Everything follows from what the relay takes on and reports; nothing
// here is about one call alone, so no label holds an id.
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { NewEvent } from './outbox.ts';
import type { Clock, Ticker } from './ports.ts';
import type { ProcessReport } from './process-report.ts';
import { addRecordingMetrics } from './recorder-metrics.ts';
import type { RecordingFigures } from './recordings.ts';
import { RELAY_END_REASONS, type CallStats } from './protocol.ts';

/** What is true of the relay at the moment somebody asks. */
export type RelayState = {
  readonly calls: number;
  readonly capacity: number;
  readonly isDraining: boolean;
  /** It takes no new calls, because those that it has use up the machine. */
  readonly isOverloaded: boolean;
  /** The worker has welcomed it. */
  readonly isConnected: boolean;
  /** Events that the worker has not acknowledged. */
  readonly unacknowledged: number;
  /** Events given up since the start. */
  readonly dropped: number;
};

/** A call between its first and its last event. */
type Progress = { readonly takenAtMs: number; isInbound: boolean; isAway: boolean };

/** What `Ticker` promises. */
const TICK_MS = 10;

/** How often the event loop is looked at, in ms; what it is late by is its delay. */
const LOOP_SAMPLE_MS = 10;
const LOOP_WINDOW_MS = 1_000;

const VOICES = ['from_caller', 'to_caller'] as const satisfies readonly (keyof CallStats)[];

/** Whom a voice is sent to by us, and who tells how long the way there is. */
const LEG_OF_RECEIVER = { from_caller: 'room', to_caller: 'provider' } as const;

const LOSS_BUCKETS = [0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

export class Metrics {
  readonly #registry = new Registry();
  readonly #clock: Clock;
  readonly #calls = new Map<string, Progress>();

  readonly #ended = new Counter({
    name: 'roomline_relay_calls_ended_total',
    help: 'Calls that ended, by the reason that was reported; closed: the worker said so, no-capacity: refused',
    labelNames: ['reason'],
    registers: [this.#registry],
  });
  readonly #away = new Counter({
    name: 'roomline_relay_room_losses_total',
    help: 'How often a call lost its LiveKit room',
    registers: [this.#registry],
  });
  readonly #rejoined = new Counter({
    name: 'roomline_relay_room_rejoins_total',
    help: 'How often a call came back into a room that it had lost',
    registers: [this.#registry],
  });
  readonly #promptsFailed = new Counter({
    name: 'roomline_relay_prompts_failed_total',
    help: 'Prompts that a call was to play and that could not be had or read',
    registers: [this.#registry],
  });
  readonly #connects = new Counter({
    name: 'roomline_relay_connects_total',
    help: 'How often the socket to the worker was opened; all but the first are reconnects',
    registers: [this.#registry],
  });
  readonly #setUp = new Histogram({
    name: 'roomline_relay_call_setup_seconds',
    help: "From taking a call to working media; outbound it contains the wait for the provider's answer",
    labelNames: ['direction'],
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20],
    registers: [this.#registry],
  });
  readonly #firstAudio = new Histogram({
    name: 'roomline_relay_first_audio_seconds',
    help: 'From the opening of the path to the first audio of a source; of calls that have ended',
    labelNames: ['voice'],
    buckets: [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers: [this.#registry],
  });
  readonly #loss = new Histogram({
    name: 'roomline_relay_packet_loss_ratio',
    help: 'Share of packets that never came, 0 to 1; of calls that have ended',
    labelNames: ['voice'],
    buckets: LOSS_BUCKETS,
    registers: [this.#registry],
  });
  readonly #jitter = new Histogram({
    name: 'roomline_relay_jitter_seconds',
    help: 'Interarrival jitter at the end of the call, RFC 3550; of calls that have ended',
    labelNames: ['voice'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2],
    registers: [this.#registry],
  });
  readonly #receiverLoss = new Histogram({
    name: 'roomline_relay_receiver_packet_loss_ratio',
    help: 'Share of packets that the receiver of a voice missed, by its own reports, 0 to 1; of calls that have ended',
    labelNames: ['voice'],
    buckets: LOSS_BUCKETS,
    registers: [this.#registry],
  });
  readonly #roundTrip = new Histogram({
    name: 'roomline_relay_round_trip_seconds',
    help: 'Mean round-trip time of a leg by RTCP; of calls that have ended',
    labelNames: ['leg'],
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1],
    registers: [this.#registry],
  });
  readonly #mos = new Histogram({
    name: 'roomline_relay_mos_score',
    help: 'Mean opinion score of a voice, 1 to 4.5, estimated by ITU-T G.107; of calls that have ended',
    labelNames: ['voice'],
    buckets: [1.5, 2, 2.5, 3, 3.5, 3.8, 4, 4.2, 4.3, 4.4],
    registers: [this.#registry],
  });
  readonly #lateness = new Histogram({
    name: 'roomline_relay_tick_lateness_seconds',
    help: 'How late each tick of 10 ms came while there were calls; from 0.03 on callers may hear it',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 1],
    registers: [this.#registry],
  });
  readonly #loopDelay = new Histogram({
    name: 'roomline_relay_event_loop_delay_seconds',
    help: 'The longest delay of the event loop in each second',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1],
    registers: [this.#registry],
  });

  /** @param state is asked whenever somebody reads the metrics */
  constructor(clock: Clock, state: () => RelayState) {
    this.#clock = clock;
    // A counter that is there from the start shows its first step.
    for (const reason of RELAY_END_REASONS) this.#ended.inc({ reason }, 0);
    this.#gauge('roomline_relay_calls', 'Calls whose media is held here', () => state().calls);
    this.#gauge(
      'roomline_relay_capacity_calls',
      'Calls that are taken at once',
      () => state().capacity,
    );
    this.#gauge('roomline_relay_draining', '1: takes no new calls and stops after the last', () =>
      Number(state().isDraining),
    );
    this.#gauge(
      'roomline_relay_overloaded',
      '1: takes no new calls until those that it has leave more of the machine',
      () => Number(state().isOverloaded),
    );
    this.#gauge('roomline_relay_connected', '1: the worker has welcomed this relay', () =>
      Number(state().isConnected),
    );
    this.#gauge(
      'roomline_relay_outbox_events',
      'Events that the worker has not acknowledged yet',
      () => state().unacknowledged,
    );
    this.#gauge(
      'roomline_relay_outbox_dropped_events',
      'Events given up since the start, because the worker was away for too long',
      () => state().dropped,
    );
  }

  /** Shows recordings as well. @param figures is asked whenever somebody reads the metrics */
  showRecordings(figures: () => RecordingFigures): void {
    addRecordingMetrics(this.#registry, figures);
  }

  /** The relay takes a new call. */
  taken(callId: string): void {
    const takenAtMs = this.#clock.nowMs();
    this.#calls.set(callId, { takenAtMs, isInbound: true, isAway: false });
  }

  /** The relay says hello on a new socket. */
  connected(): void {
    this.#connects.inc();
  }

  /** The relay reports an event of a call. */
  reported(event: NewEvent): void {
    const call = this.#calls.get(event.call_id);
    switch (event.type) {
      case 'offered':
        if (call) call.isInbound = false;
        return;
      case 'media-up':
        if (call) this.#up(call);
        return;
      case 'room-away':
        this.#away.inc();
        if (call) call.isAway = true;
        return;
      case 'room-joined':
        if (call?.isAway) this.#rejoined.inc();
        if (call) call.isAway = false;
        return;
      case 'ended':
        this.#calls.delete(event.call_id);
        this.#ended.inc({ reason: event.reason });
        if (event.stats) this.#summarise(event.stats);
        return;
      case 'answered':
      case 'dtmf':
      case 'participant-joined':
      case 'participant-left':
      case 'publisher-skipped':
      case 'ready':
      case 'recording-failed':
      case 'transfer-asked':
        return;
      case 'played':
        if (!event.completed) this.#promptsFailed.inc();
        return;
    }
  }

  /** The same ticker; how late it ticks is measured while it has members. */
  measured(ticker: Ticker): Ticker {
    const members = new Set<object>();
    let stop = () => {};
    const measure = () => {
      let dueAtMs = this.#clock.nowMs() + TICK_MS;
      return ticker.add((nowMs) => {
        this.#lateness.observe(Math.max(0, nowMs - dueAtMs) / 1000);
        dueAtMs = nowMs + TICK_MS;
      });
    };
    return {
      add: (tick) => {
        const member = {};
        if (members.size === 0) stop = measure();
        members.add(member);
        const remove = ticker.add(tick);
        return () => {
          remove();
          if (members.delete(member) && members.size === 0) stop();
        };
      },
    };
  }

  /**
   * Measures the delay of the event loop until the returned function is called. Not with `monitorEventLoopDelay`: to begin anew
   * every second it must be reset, and Observed with Node 24.21, a stall that begins right after a reset is lost.
   *
   * @param onSample is told by how many ms each look came late
   */
  watchEventLoop(onSample: (lateMs: number) => void): () => void {
    let sampledAtMs = this.#clock.nowMs();
    let windowFromMs = sampledAtMs;
    let longestMs = 0;
    const timer = setInterval(() => {
      const nowMs = this.#clock.nowMs();
      const lateMs = Math.max(0, nowMs - sampledAtMs - LOOP_SAMPLE_MS);
      onSample(lateMs);
      longestMs = Math.max(longestMs, lateMs);
      sampledAtMs = nowMs;
      if (nowMs - windowFromMs < LOOP_WINDOW_MS) return;
      this.#loopDelay.observe(longestMs / 1000);
      windowFromMs = nowMs;
      longestMs = 0;
    }, LOOP_SAMPLE_MS);
    timer.unref();
    return () => clearInterval(timer);
  }

  /** Everything, in Prometheus' text format. */
  async text(): Promise<string> {
    return await this.#registry.metrics();
  }

  /** The same as values. */
  async values(): Promise<ProcessReport['metrics']> {
    return await this.#registry.getMetricsAsJSON();
  }

  #up({ takenAtMs, isInbound }: Progress): void {
    const direction = isInbound ? 'inbound' : 'outbound';
    this.#setUp.observe({ direction }, (this.#clock.nowMs() - takenAtMs) / 1000);
  }

  #summarise(stats: CallStats): void {
    for (const voice of VOICES) {
      const { packets, lost, jitter_ms: jitterMs, first_audio_ms: firstAudioMs } = stats[voice];
      const { mos, receiver } = stats[voice];
      if (firstAudioMs !== undefined) this.#firstAudio.observe({ voice }, firstAudioMs / 1000);
      if (mos !== undefined) this.#mos.observe({ voice }, mos);
      if (receiver && receiver.packets > 0)
        this.#receiverLoss.observe({ voice }, Math.min(1, receiver.lost / receiver.packets));
      if (receiver?.rtt_ms !== undefined)
        this.#roundTrip.observe({ leg: LEG_OF_RECEIVER[voice] }, receiver.rtt_ms / 1000);
      if (packets === 0) continue;
      this.#loss.observe({ voice }, lost / (packets + lost));
      this.#jitter.observe({ voice }, jitterMs / 1000);
    }
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect: () => gauge.set(read()),
    });
  }
}
