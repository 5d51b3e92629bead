// What all routes of the control API share: their errors, bodies and answers.
import type { Context } from 'hono';
import { z } from 'zod';
import { toSnakeCase } from './casing.ts';
import type { SimulatedNumber } from './numbers.ts';
import type { Platform } from './platform.ts';
import type { User } from './users.ts';

/** A request that the control API refuses; `message` names what is wrong and where. */
export class ControlError extends Error {
  readonly status: 400 | 404 | 409 | 502;
  constructor(status: 400 | 404 | 409 | 502, message: string) {
    super(message);
    this.status = status;
  }
}

export function json(c: Context, value: unknown, status: 200 | 201 = 200): Response {
  return c.json(toSnakeCase(value) as object, status);
}

/** The body as the schema has it; none counts as `{}`. @throws ControlError 400 naming each wrong field */
export async function parsed<Schema extends z.ZodType>(
  c: Context,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await c.req.text();
  let value: unknown;
  try {
    value = text === '' ? {} : JSON.parse(text);
  } catch {
    throw new ControlError(400, 'the body is not JSON');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`,
  );
  throw new ControlError(400, problems.join('; '));
}

/** The number with this id, the default one without. @throws ControlError 404 */
export function numberOf(platform: Platform, id: string | undefined): SimulatedNumber {
  if (id === undefined) return platform.numbers.default;
  const number = platform.numbers.byId(id);
  if (!number) throw new ControlError(404, `no number ${id}`);
  return number;
}

/** The user with this number or business-scoped id. @throws ControlError 404 */
export function userOf(platform: Platform, id: string): User {
  const user = platform.users.find(id);
  if (!user) throw new ControlError(404, `no user ${id}`);
  return user;
}
