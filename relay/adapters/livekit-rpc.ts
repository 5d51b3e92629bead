// Answers remote procedure calls of AI agents to the caller. There is one: `roomline.transfer`, which asks for somebody else to
// have the call. No state.
//
// Spec: RPC of LiveKit's clients, version 1: a request is acknowledged within 7 s and answered later, each by a packet of its
// own (`@livekit/protocol` RpcRequest, RpcAck, RpcResponse; codes as in livekit-client 2.23.0, `room/rpc/utils.ts`).
import { DataPacket, RpcAck, RpcError, RpcRequest, RpcResponse } from '@livekit/protocol';
import { transferRequest, type TransferRequest } from '../protocol.ts';

const METHOD = 'roomline.transfer';
/** Enough for a summary of the longest kind in any script, with its escapes. In characters. */
const PAYLOAD_CHARS_MAX = 8_192;
const VERSION = 1;

const CODE = {
  failed: 1500,
  'unsupported-method': 1400,
  'payload-too-large': 1402,
  'unsupported-version': 1404,
} as const;

export type RpcAnswer =
  | { readonly ok: true; readonly request: TransferRequest }
  | { readonly ok: false; readonly code: keyof typeof CODE; readonly message: string };

/** @param isAllowed whoever asks is an AI agent that the caller hears */
export function readRpc(
  { method, version, payload }: Pick<RpcRequest, 'method' | 'version' | 'payload'>,
  isAllowed: boolean,
): RpcAnswer {
  if (version !== VERSION) return refused('unsupported-version', `version ${VERSION} is known`);
  if (method !== METHOD) return refused('unsupported-method', `${METHOD} is known`);
  if (!isAllowed) return refused('failed', 'only for an AI agent that the caller hears');
  if (payload.length > PAYLOAD_CHARS_MAX)
    return refused('payload-too-large', `at most ${PAYLOAD_CHARS_MAX} characters`);
  let json: unknown;
  try {
    json = JSON.parse(payload);
  } catch {
    return refused('failed', 'the payload is no JSON');
  }
  const parsed = transferRequest.safeParse(json);
  if (parsed.success) return { ok: true, request: parsed.data };
  const [issue] = parsed.error.issues;
  return refused('failed', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong'}`);
}

function refused(code: keyof typeof CODE, message: string): RpcAnswer {
  return { ok: false, code, message };
}

export const ASKED_TOO_OFTEN = refused('failed', 'asked too often in this call');

export const rpcAckPacket = (to: string, requestId: string): Uint8Array =>
  new DataPacket({
    destinationIdentities: [to],
    value: { case: 'rpcAck', value: new RpcAck({ requestId }) },
  }).toBinary();

/** What became of a request: it was passed on, or why not. */
export const rpcAnswerPacket = (to: string, requestId: string, answer: RpcAnswer): Uint8Array =>
  new DataPacket({
    destinationIdentities: [to],
    value: {
      case: 'rpcResponse',
      value: new RpcResponse({
        requestId,
        value: answer.ok
          ? { case: 'payload', value: '{"asked":true}' }
          : {
              case: 'error',
              value: new RpcError({ code: CODE[answer.code], message: answer.message }),
            },
      }),
    },
  }).toBinary();
