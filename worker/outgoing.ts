// Requests to the provider and to LiveKit, made in the stateless worker on the Switchboard's behalf, so that slow replies cannot
// use up the Switchboard's connections. One attempt per call of `run`; repeating is decided by `domain/job.ts`.
import { WorkerEntrypoint } from 'cloudflare:workers';
import { createCallReader } from './adapters/call-reader-d1.ts';
import { createContactStore } from './adapters/contact-store-d1.ts';
import { openDatabase } from './adapters/database.ts';
import { createDeliveryStore } from './adapters/delivery-store-d1.ts';
import { createDirectory } from './adapters/directory-d1.ts';
import { doRoomJob } from './adapters/livekit.ts';
import { createPermissionStore } from './adapters/permission-store-d1.ts';
import type { CallRequest, Provider, UserAddress } from './adapters/provider.ts';
import { createRateStore } from './adapters/rate-store-d1.ts';
import { createRuleStore } from './adapters/rule-store-d1.ts';
import { createWebhookStore } from './adapters/webhook-store-d1.ts';
import { parseConfig, type Config } from './config.ts';
import type { AskWording, Call } from './domain/call.ts';
import type { CallId, ContactId, NumberId } from './domain/ids.ts';
import type { GraphAction, Job, JobResult, MessageWording } from './domain/job.ts';
import type { Outcome } from './domain/outcome.ts';
import type { Env } from './env.ts';
import type { CallView } from './call-view.ts';
import { askEndpoint } from './handlers/ask-endpoint.ts';
import { sendPermissionRequest, templateMessage } from './handlers/ask-permission.ts';
import {
  prepareDeliveries,
  sendDeliveries,
  turnsOfEach,
  type DeliverServices,
} from './handlers/deliver-events.ts';
import { openProvider } from './handlers/open-provider.ts';
import { recordCall } from './handlers/record-call.ts';
import { knownTo } from './handlers/save-rules.ts';
import type { Services } from './services.ts';

/** What a job needs to know of its call; credentials are looked up here and never stored with the job. */
export interface JobSubject {
  readonly callId: CallId;
  readonly numberId: NumberId;
  /** Null for an outbound call that the provider has not named yet. */
  readonly providerCallId: string | null;
  readonly answerSdp: string | null;
  /** Outbound only, as everything below. */
  readonly offerSdp: string | null;
  /** Comes back with the call's webhooks. */
  readonly opaque: string | null;
  readonly user: UserAddress | null;
  readonly contactId: ContactId | null;
  readonly wording: AskWording | null;
  /** How the call went, for the job `record`. */
  readonly direction: Call['direction'];
  readonly outcome: Outcome | null;
  readonly createdAtMs: number;
  readonly answeredAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly finishedAtMs: number | null;
  readonly endedAtMs: number | null;
  /** What the user's endpoint is told, for the job `endpoint`. */
  readonly view: CallView | null;
  /** Keys that led the caller through menus. */
  readonly digits: string;
}

/** What handlers that run on the Switchboard's behalf work with. */
export type OutgoingDeps = Pick<
  Services,
  'config' | 'directory' | 'contacts' | 'permissions' | 'rates' | 'now'
>;

export class Outgoing extends WorkerEntrypoint<Env> {
  /** Runs one job once. Never throws: whatever happens is a result. */
  async run(subject: JobSubject, job: Job): Promise<JobResult> {
    try {
      const config = parseConfig({ ...this.env });
      const db = openDatabase(this.env.DB);
      const deps: OutgoingDeps = {
        config,
        directory: createDirectory(db),
        contacts: createContactStore(db),
        permissions: createPermissionStore(db),
        rates: createRateStore(db),
        now: () => Date.now(),
      };
      if (job.lane === 'room') {
        return await doRoomJob(liveKit(config), subject.callId, job);
      }
      if (job.lane === 'record') return await recordCall(deps, subject);
      if (job.lane === 'endpoint') {
        const audio = this.env.AUDIO ?? null;
        const known = () => knownTo({ config, audio, rules: createRuleStore(db) });
        return await askEndpoint({ ...deps, known }, subject, job);
      }
      if (job.action === 'ask') return await ask(deps, subject);
      const provider = await openProvider(deps, subject.numberId);
      if (!provider) return refused('the number is not registered');
      if (job.lane === 'message') {
        return job.action === 'send'
          ? await sendMessage(provider, subject, job.content)
          : await sendFallback(deps, provider, subject);
      }
      return await act(provider, subject, job.action);
    } catch (error) {
      console.error('outgoing.failed', { callId: subject.callId, error: String(error) });
      // Failed before anything was sent: the record could not be read, or a key is missing.
      return { ok: false, kind: 'unavailable', message: 'the request could not be prepared' };
    }
  }

  /**
   * Takes up events that endpoints of users are told of. Returns once they cannot be left out any more; they are sent afterwards.
   *
   * @returns whether there are endpoints at all
   */
  async deliverEvents(): Promise<boolean> {
    const { enabled, given } = await prepareDeliveries(this.#deliverServices());
    const turns = turnsOfEach(given.length);
    this.ctx.waitUntil(Promise.all(given.map((id) => this.#others().sendEvents(id, turns))));
    return enabled.length > 0;
  }

  /**
   * Sends one endpoint what is due. Each needs an invocation of its own, because one may have six connections. Never throws.
   *
   * @param turns how many may do so one after the other, because each sends a bounded number; then the trigger of every minute does
   */
  async sendEvents(endpointId: string, turns: number): Promise<void> {
    const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
    const isLeft = await sendDeliveries(this.#deliverServices(), endpointId, pause);
    if (isLeft && turns > 1) this.ctx.waitUntil(this.#others().sendEvents(endpointId, turns - 1));
  }

  #others(): Pick<Outgoing, 'sendEvents'> {
    return (this.ctx.exports as unknown as { Outgoing: Outgoing }).Outgoing;
  }

  #deliverServices(): DeliverServices {
    const db = openDatabase(this.env.DB);
    const now = () => Date.now();
    return {
      config: parseConfig({ ...this.env }),
      calls: createCallReader(db, now),
      webhooks: createWebhookStore(db),
      deliveries: createDeliveryStore(db),
      now,
    };
  }
}

async function ask(deps: OutgoingDeps, subject: JobSubject): Promise<JobResult> {
  const { numberId, contactId, wording } = subject;
  if (!contactId || !wording) return refused('the call asks nobody for permission');
  return sendPermissionRequest(deps, numberId, contactId, wording);
}

async function sendFallback(
  { directory }: OutgoingDeps,
  provider: Provider,
  { numberId, user }: JobSubject,
): Promise<JobResult> {
  const body = (await directory.findNumber(numberId))?.fallbackText ?? null;
  if (!user || body === null) return refused('there is no text, or nobody to send it to');
  return sendText(provider, user, body);
}

async function sendText(provider: Provider, user: UserAddress, body: string): Promise<JobResult> {
  const sent = await provider.sendMessage(user, { type: 'text', text: { body } });
  return sent.ok ? { ok: true } : sent;
}

/**
 * A caller may be sent free text: calling opens the customer service window. Provider: Calling API, user-initiated calls, read
 * 2026-09.
 */
async function sendMessage(
  provider: Provider,
  { user }: JobSubject,
  { text, template }: MessageWording,
): Promise<JobResult> {
  if (!user) return refused('there is nobody to send it to');
  if (text !== undefined) return sendText(provider, user, text);
  if (!template) return refused('the message is empty');
  const sent = await provider.sendMessage(user, templateMessage(template));
  return sent.ok ? { ok: true } : sent;
}

async function act(
  provider: Provider,
  subject: JobSubject,
  action: GraphAction,
): Promise<JobResult> {
  const request = requestOf(subject, action);
  return request ? provider.act(request) : refused(`the call has nothing to ${action} with`);
}

/** Null when the call lacks what the action carries; the domain never asks for such an action. */
function requestOf(subject: JobSubject, action: GraphAction): CallRequest | null {
  const { providerCallId, answerSdp, offerSdp, opaque, user } = subject;
  if (action === 'connect') {
    return user && offerSdp !== null && opaque !== null ? { action, user, offerSdp, opaque } : null;
  }
  if (providerCallId === null) return null;
  if (action === 'reject' || action === 'terminate') return { action, providerCallId };
  return answerSdp === null ? null : { action, providerCallId, answerSdp };
}

const refused = (message: string): JobResult => ({ ok: false, kind: 'refused', message });

const liveKit = (config: Config) => ({
  url: config.LIVEKIT_URL,
  apiKey: config.LIVEKIT_API_KEY,
  apiSecret: config.LIVEKIT_API_SECRET,
});
