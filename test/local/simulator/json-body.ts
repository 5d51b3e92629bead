// Reading the JSON bodies of Graph requests, with Meta's error when they are not what they should be. Pure.
import { invalidParameter } from './graph-error.ts';

/** A JSON object of unknown content. */
export type Body = Readonly<Record<string, unknown>>;

/** @throws GraphError 100 when the text is not a JSON object */
export function parseObject(text: string): Body {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalidParameter('The request body is not valid JSON');
  }
  return asObject(value, 'the request body');
}

/** The object, or undefined when the text is none. */
export function safeParse(text: string): Body | undefined {
  try {
    return parseObject(text);
  } catch {
    return undefined;
  }
}

/** @throws GraphError 100 naming the field */
export function asObject(value: unknown, name: string): Body {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidParameter(`${name} must be an object`);
  }
  return value as Body;
}

/** @throws GraphError 100 naming the field */
export function asText(value: unknown, name: string, lengthMax: number): string {
  if (typeof value !== 'string' || value === '' || value.length > lengthMax) {
    throw invalidParameter(`${name} must be a text of 1 to ${lengthMax} characters`);
  }
  return value;
}

/** @throws GraphError 100 unless it is `whatsapp` */
export function checkProduct(body: Body): void {
  if (body['messaging_product'] !== 'whatsapp') {
    throw invalidParameter("messaging_product must be 'whatsapp'");
  }
}
