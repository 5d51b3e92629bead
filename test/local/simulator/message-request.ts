// The body of `POST /messages`, for the kinds of message that calling needs. Pure.
import { graphError, invalidParameter } from './graph-error.ts';
import { asObject, asText, checkProduct, type Body } from './json-body.ts';
import type { NumberTraits } from './number-traits.ts';

/** What a message does. */
export type MessageKind = 'text' | 'call_permission_request' | 'voice_call' | 'template';
/** Templates may be sent at any time. */
export type AskedMessage = { readonly kind: MessageKind; readonly isTemplate: boolean };

// Provider: "Messages" of the Cloud API, read 2026-06: text 4096, interactive body 1024.
const TEXT_LENGTH_MAX = 4096;
const BODY_LENGTH_MAX = 1024;
// Provider: "Call button messages", read 2026-06.
const BUTTON_LENGTH_MAX = 20;
const PAYLOAD_LENGTH_MAX = 512;
const TTL_MINUTES_MAX = 43_200;

/** @throws GraphError 100 or 132001 naming what is wrong */
export function parseMessage(body: Body, templates: NumberTraits['templates']): AskedMessage {
  checkProduct(body);
  const type = body['type'] ?? 'text';
  switch (type) {
    case 'text':
      asText(asObject(body['text'], 'text')['body'], 'text.body', TEXT_LENGTH_MAX);
      return { kind: 'text', isTemplate: false };
    case 'interactive':
      return {
        kind: parseInteractive(asObject(body['interactive'], 'interactive')),
        isTemplate: false,
      };
    case 'template':
      return {
        kind: parseTemplate(asObject(body['template'], 'template'), templates),
        isTemplate: true,
      };
    default:
      throw invalidParameter('type must be one of text, interactive, template');
  }
}

function parseInteractive(interactive: Body): MessageKind {
  const { type } = interactive;
  if (type !== 'call_permission_request' && type !== 'voice_call') {
    throw invalidParameter('interactive.type must be call_permission_request or voice_call');
  }
  const action = asObject(interactive['action'], 'interactive.action');
  if (action['name'] !== type) throw invalidParameter(`interactive.action.name must be ${type}`);
  const text = interactive['body'];
  if (text !== undefined) {
    const { text: value } = asObject(text, 'interactive.body');
    asText(value, 'interactive.body.text', BODY_LENGTH_MAX);
  }
  if (type === 'voice_call') {
    if (text === undefined) throw invalidParameter('interactive.body is required');
    checkButton(asObject(action['parameters'] ?? {}, 'interactive.action.parameters'));
    return type;
  }
  // Provider: "User call permissions", read 2026-06: only the body of the card can be chosen.
  for (const name of ['header', 'footer']) {
    if (interactive[name] !== undefined) {
      throw invalidParameter(`interactive.${name} is not allowed in a call permission request`);
    }
  }
  return type;
}

function checkButton(parameters: Body): void {
  const { display_text: label, payload, ttl_minutes: ttl } = parameters;
  if (label !== undefined) asText(label, 'display_text', BUTTON_LENGTH_MAX);
  if (payload !== undefined) asText(payload, 'payload', PAYLOAD_LENGTH_MAX);
  const isValid = ttl === undefined || (Number.isInteger(ttl) && Number(ttl) >= 1);
  if (!isValid || Number(ttl ?? 1) > TTL_MINUTES_MAX) {
    throw invalidParameter(`ttl_minutes must be 1 to ${TTL_MINUTES_MAX}`);
  }
}

/** Provider: "Error codes" of the Cloud API, 132001, read 2026-06: name and language must match exactly. */
function parseTemplate(template: Body, templates: NumberTraits['templates']): MessageKind {
  const { name } = template;
  const { code } = asObject(template['language'], 'template.language');
  const known = templates.find((one) => one.name === name && one.language === code);
  if (!known) {
    throw graphError(132001, `template name (${String(name)}) does not exist in ${String(code)}`);
  }
  return known.component === 'none' ? 'template' : known.component;
}
