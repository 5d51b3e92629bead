// Frames of relays with anything in them: a frame, or one of two named failures that show nothing of what was sent.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FRAME_BYTES_MAX, frameFromRelay, parseFrame } from '../../../relay/protocol.ts';
import { mutatedFrom, oddValue, SEED } from '../../support/mutations.ts';

const MARK = 'mark-351910000001';
const sequenced = { seq: 1, at_ms: 1_790_000_000_000, call_id: 'c1' };
const stats = { packets: 10, lost: 0, jitter_ms: 1.5, filled: 2, first_audio_ms: 40 };
const FRAMES = [
  {
    type: 'hello',
    relay_id: 'relay-1',
    instance: 'i1',
    protocol: 2,
    capacity: 50,
    draining: false,
    calls: ['c1', MARK],
  },
  { type: 'call.is', call_id: 'c1', rev: 3 },
  { type: 'draining' },
  { type: 'load', accepts: false },
  { type: 'answered', ...sequenced, sdp: `v=0\r\no=${MARK}\r\n` },
  { type: 'offered', ...sequenced, sdp: 'v=0\r\n' },
  {
    type: 'media-up',
    ...sequenced,
    path: { local: '192.0.2.1:1', local_type: 'host', remote: MARK },
  },
  { type: 'participant-left', ...sequenced, identity: MARK, why: 'left' },
  {
    type: 'ended',
    ...sequenced,
    reason: 'media-lost',
    detail: MARK,
    stats: { from_caller: stats, to_caller: stats },
  },
];

function read(text: string): void {
  const parsed = parseFrame(frameFromRelay, text);
  if (parsed.ok) return;
  expect(['invalid', 'unknown']).toContain(parsed.kind);
  // Only these are logged.
  if (parsed.kind === 'invalid') expect(parsed.message).not.toContain(MARK);
}

it('what is wrong with a frame is said by the name of its field', () => {
  const problemOf = (frame: object) => {
    const parsed = parseFrame(frameFromRelay, JSON.stringify(frame));
    return parsed.ok ? '' : parsed.message;
  };
  const ended = FRAMES.at(-1);
  expect(
    problemOf({ ...ended, stats: { from_caller: stats, to_caller: { ...stats, lost: -1 } } }),
  ).toMatch(/^stats\.to_caller\.lost: /);
  expect(problemOf({ ...ended, reason: MARK, detail: 5 })).toMatch(/^reason: .+; detail: /);
  expect(problemOf({ type: 'hello' })).toMatch(/^relay_id: /);
});

it('the frames that are changed are real ones', () => {
  for (const frame of FRAMES) {
    expect(parseFrame(frameFromRelay, JSON.stringify(frame)).ok).toBe(true);
  }
});

it('a frame of which anything was changed is read, or fails by name', () => {
  const property = fc.property(mutatedFrom(FRAMES), (frame) => read(JSON.stringify(frame)));
  fc.assert(property, { numRuns: 1_500, seed: SEED });
  expect(Object.keys(Object.prototype)).toEqual([]);
});

it('anything at all is read, or fails by name', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), read), { numRuns: 300, seed: SEED });
  fc.assert(
    fc.property(oddValue, (value) => read(JSON.stringify(value))),
    { numRuns: 300, seed: SEED },
  );
});

it('a frame that is too long is not even looked at', () => {
  const text = JSON.stringify({ type: 'draining', padding: 'x'.repeat(FRAME_BYTES_MAX) });
  expect(parseFrame(frameFromRelay, text)).toMatchObject({ kind: 'invalid' });
});
