// The document that describes the API, from the schemas that validate it.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { AppEnv } from './authentication.ts';
import ANSWERS from './answers.json' with { type: 'json' };
import { EXAMPLES, type Example } from './examples.ts';

type Document = ReturnType<OpenAPIHono<AppEnv>['getOpenAPI31Document']>;
type Operation = NonNullable<NonNullable<Document['paths']>[string]['get']>;

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

/** @returns the document; every operation has an id, which names of functions are made of, and an example */
export function describeApi(app: OpenAPIHono<AppEnv>): Document {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Roomline',
      version: '1',
      description: 'WhatsApp Business calls in LiveKit rooms.',
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
  });
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (!operation) continue;
      operation.operationId ??= operationId(method, path);
      const route = `${method.toUpperCase()} ${path}`;
      show(operation, EXAMPLES[route] ?? {});
      showAnswer(operation, (ANSWERS as Readonly<Record<string, unknown>>)[route]);
    }
  }
  return document;
}

/** Puts an example into the description of an operation. */
function show(
  { parameters = [], requestBody }: Operation,
  { parameters: values, body }: Example,
): void {
  for (const parameter of parameters) {
    if (!('name' in parameter)) continue;
    const value = values?.[parameter.name];
    if (value !== undefined) parameter.example = value;
  }
  if (body === undefined || !requestBody || !('content' in requestBody)) return;
  for (const content of Object.values(requestBody.content)) content.example = body;
}

/** The same for what it answers when it has done what it was asked. */
function showAnswer({ responses = {} }: Operation, answer: unknown): void {
  for (const [status, response] of Object.entries(responses)) {
    const content = response?.content?.['application/json'];
    if (status.startsWith('2') && content && answer !== undefined) content.example = answer;
  }
}

/** `POST /v1/calls/{id}/claim` is `postCallClaim`: what stands before an id is one of its kind. */
function operationId(method: string, path: string): string {
  const [, , ...parts] = path.split('/');
  const words = parts.flatMap((part, i) => {
    if (part.startsWith('{')) return [];
    return (parts[i + 1]?.startsWith('{') ? singular(part) : part).split('-');
  });
  return [method, ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('');
}

const singular = (word: string): string => word.replace(/ies$/, 'y').replace(/s$/, '');
