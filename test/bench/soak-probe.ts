// Loaded into the relay that soaks (`--import`, with `--expose-gc`): tells its memory, after a collection, to whoever started it.
export type MemoryAnswer = Pick<NodeJS.MemoryUsage, 'rss' | 'heapUsed' | 'external'>;

process.on('message', () => {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  const answer: MemoryAnswer = { rss, heapUsed, external };
  process.send?.(answer);
});
