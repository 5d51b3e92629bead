// The sounds that come with the relay, in relay/sounds/.
import { readFileSync } from 'node:fs';
import { readOggOpus } from '../domain/ogg.ts';

/**
 * Reads a sound.
 *
 * @returns its Opus packets, at least one
 * @throws Error naming the file and what is wrong with it
 */
export function loadSound(name: 'hold'): readonly Uint8Array[] {
  const file = new URL(`../sounds/${name}.ogg`, import.meta.url);
  const sound = readOggOpus(readFileSync(file));
  if (!sound.ok) throw new Error(`${file.pathname}: ${sound.message}`);
  return sound.packets;
}
