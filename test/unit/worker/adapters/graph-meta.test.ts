import { expect, it } from 'vitest';
import { readReply } from '../../../../worker/adapters/graph-meta.ts';

const error = (code: number | undefined, message: string, details?: string): string =>
  JSON.stringify({ error: { message, code, ...(details ? { error_data: { details } } : {}) } });

it.each<
  [name: string, action: 'accept' | 'terminate', status: number, body: string, expected: object]
>([
  ['success', 'accept', 200, '{"success":true}', { ok: true }],
  ['success without the word', 'accept', 200, '{"messaging_product":"whatsapp"}', { ok: true }],
  ['success: false', 'terminate', 200, '{"success":false}', { ok: false, kind: 'unsure' }],
  ['200 that is not JSON', 'accept', 200, '<html>', { ok: false, kind: 'unsure' }],
  ['a server error', 'accept', 500, '', { ok: false, kind: 'unsure', message: 'HTTP 500' }],
  [
    'a rate limit',
    'accept',
    429,
    error(80007, 'busy'),
    { ok: false, kind: 'unavailable', code: 80007 },
  ],
  ['an expired token', 'accept', 401, error(190, 'expired'), { ok: false, kind: 'unavailable' }],
  [
    'a 401 that is not about the token',
    'accept',
    401,
    error(138006, 'no permission'),
    { ok: false, kind: 'refused' },
  ],
  [
    'a refusal with details',
    'accept',
    400,
    error(100, 'm', 'line 3'),
    { ok: false, kind: 'refused', message: 'line 3' },
  ],
  [
    'accept of an accepted call',
    'accept',
    400,
    error(100, 'already accepted'),
    { ok: true, already: true },
  ],
  [
    'accept of an ended call',
    'accept',
    400,
    error(100, 'already ended'),
    { ok: false, kind: 'refused' },
  ],
  [
    'terminate of an ended call',
    'terminate',
    400,
    error(100, 'Call already ended'),
    { ok: true, already: true },
  ],
  [
    'a string error',
    'terminate',
    400,
    '{"error":"no"}',
    { ok: false, kind: 'refused', message: 'HTTP 400' },
  ],
])('%s', (_name, action, status, body, expected) => {
  expect(readReply(action, status, body)).toMatchObject(expected);
});
