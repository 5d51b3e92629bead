// Forgets what signed people in and is over, and what was noted of changes long ago.
import type { Services } from '../services.ts';

/** A year, and what it takes to look at it. */
const AUDIT_KEPT_MS = 400 * 24 * 3600_000;

export async function sweepSignIn({
  sessions,
  audit,
  now,
}: Pick<Services, 'sessions' | 'audit' | 'now'>): Promise<void> {
  await Promise.all([sessions.sweep(now()), audit.sweep(now() - AUDIT_KEPT_MS)]);
}
