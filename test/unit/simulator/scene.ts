// One simulator, one receiver and a business that calls, for the tests of business-initiated calls and what they need.
import { SimulatorClient } from '../../local/simulator/client.ts';
import {
  startSimulator,
  type Simulator,
  type SimulatorOptions,
} from '../../local/simulator/simulator.ts';
import { BusinessPeer } from './business-peer.ts';
import { WebhookReceiver, type WebhookValue } from './webhook-receiver.ts';

export type Answer = {
  status: number;
  body: {
    success?: boolean;
    calls?: { id: string }[];
    messages?: { id: string }[];
    contacts?: { input: string; wa_id?: string; user_id?: string }[];
    error?: {
      code: number;
      error_subcode?: number;
      error_user_msg?: string;
      is_transient?: boolean;
      error_data: { details: string };
    };
    permission?: { status: string; expiration_time?: number; expiration?: number };
    actions?: {
      action_name: string;
      can_perform_action: boolean;
      limits: Record<string, unknown>[];
    }[];
    calling?: Record<string, unknown>;
    data?: unknown;
  };
};

export const USER = '15550100001';
export const POLL = { timeout: 8000, interval: 20 };

type Lists = Partial<Record<string, Record<string, unknown>[]>>;

/** Entries of `calls[]`, `statuses[]` and `messages[]` by a short name, such as `connect`, `RINGING` or `text`. */
export const namesIn = (value: WebhookValue): string[] => {
  const { calls = [], statuses = [], messages = [] } = value as unknown as Lists;
  return [
    ...calls.map((call) => String(call['event'])),
    ...statuses.map((status) => String(status['status'])),
    ...messages.map((message) => String(message['type'])),
  ];
};

export class Scene {
  readonly receiver: WebhookReceiver;
  readonly simulator: Simulator;
  readonly client: SimulatorClient;
  readonly #peers: BusinessPeer[] = [];

  private constructor(receiver: WebhookReceiver, simulator: Simulator) {
    this.receiver = receiver;
    this.simulator = simulator;
    this.client = new SimulatorClient(simulator.url);
  }

  static async open(options: SimulatorOptions = {}): Promise<Scene> {
    const receiver = new WebhookReceiver();
    const webhookUrl = await receiver.open();
    const simulator = await startSimulator({ webhookUrl, retryDelaysMs: [10, 10], ...options });
    return new Scene(receiver, simulator);
  }

  get id(): string {
    return this.simulator.number.phoneNumberId;
  }

  /** A request to the Graph API. @param path below the default number unless it starts with a slash */
  async graph(method: string, path: string, body?: unknown, token = 'simulated-access-token') {
    const below = path.startsWith('/') ? path : `/${this.id}/${path}`;
    const response = await fetch(`${this.simulator.url}/v23.0${below}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  async peer(): Promise<BusinessPeer> {
    const peer = await BusinessPeer.offering();
    this.#peers.push(peer);
    return peer;
  }

  /** `connect`; `extra` replaces or adds fields. */
  connect(offer: string, extra: object = {}): Promise<Answer> {
    return this.graph('POST', 'calls', {
      messaging_product: 'whatsapp',
      action: 'connect',
      to: USER,
      session: { sdp_type: 'offer', sdp: offer },
      ...extra,
    });
  }

  /** A call that was taken: its wacid and the peer that offered. */
  async dial(extra: object = {}): Promise<{ wacid: string; peer: BusinessPeer }> {
    const peer = await this.peer();
    const { status, body } = await this.connect(peer.offer, extra);
    if (status !== 200) throw new Error(`the dial was refused: ${JSON.stringify(body)}`);
    return { wacid: body.calls?.[0]?.id ?? '', peer };
  }

  message(extra: object, path = 'messages'): Promise<Answer> {
    return this.graph('POST', path, { messaging_product: 'whatsapp', to: USER, ...extra });
  }

  askPermission(): Promise<Answer> {
    return this.message({
      type: 'interactive',
      interactive: {
        type: 'call_permission_request',
        action: { name: 'call_permission_request' },
        body: { text: 'May we call you?' },
      },
    });
  }

  /** Names of everything that arrived, in order. */
  names(): string[] {
    return this.receiver.values().flatMap(namesIn);
  }

  /** The first entry of the webhook that has this name. */
  entry(name: string): Record<string, unknown> | undefined {
    const value = this.receiver.values().find((one) => namesIn(one).includes(name));
    const lists = (value ?? {}) as Lists;
    return (lists['calls'] ?? lists['statuses'] ?? lists['messages'])?.[0];
  }

  /** Meta's answer in the connect webhook. */
  answerSdp(): string {
    const session = this.entry('connect')?.['session'] as { sdp: string } | undefined;
    return session?.sdp ?? '';
  }

  async close(): Promise<void> {
    await Promise.all(this.#peers.splice(0).map((peer) => peer.close()));
    await this.simulator.close();
    this.receiver.close();
  }
}
