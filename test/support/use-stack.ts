// One running stack for a test file, on ports of its own, gone afterwards. When a test fails, the logs of its parts are shown.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { freeStackPorts } from './stack-parts.ts';
import { startStack, type Stack } from './stack.ts';

/**
 * Registers the hooks that start and stop a stack around the tests of this file.
 *
 * @returns gives the stack, from the first test on
 */
export function useStack(name: string): () => Stack {
  const stateFolder = join(
    import.meta.dirname,
    '../../.state/tests',
    `${name}-${String(process.pid)}`,
  );
  let stack: Stack | undefined;

  beforeAll(async () => {
    stack = await startStack({ stateFolder, ports: await freeStackPorts() });
  });

  afterEach(({ task }) => {
    if (task.result?.state !== 'fail' || !stack) return;
    for (const child of [stack.worker, stack.relay]) {
      console.error(`--- last lines of the ${child.name}, ${task.name}:\n${child.tail()}`);
    }
  });

  afterAll(async () => {
    await stack?.stop();
    await rm(stateFolder, { recursive: true, force: true });
  });

  return () => {
    if (!stack) throw new Error('the stack is there only while tests run');
    return stack;
  };
}

let nextCaller = 0;

/** A caller's phone number that no other test uses, as the provider writes it: E.164 digits. */
export const newCaller = (): string => `35191${String(1_000_000 + nextCaller++)}`;
