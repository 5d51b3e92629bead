// Waiting for a condition instead of sleeping.

/**
 * Waits until `look` returns something, looking every few milliseconds.
 *
 * @throws Error naming `what` when it has not happened within `withinMs`
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | null,
  withinMs = 10_000,
): Promise<T> {
  const giveUpAtMs = performance.now() + withinMs;
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false && found !== null) return found;
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
