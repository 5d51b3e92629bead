// The sounds that come with the relay, in relay/sounds/.
import { readFileSync } from 'node:fs';
import { readOggOpus } from '../domain/ogg.ts';
import type { Sound } from '../domain/player.ts';

/** What somebody on hold hears, and what somebody hears who waits for the called party. */
export type SoundName = 'hold' | 'ring-back';

/**
 * Reads a sound.
 *
 * @throws Error naming the file and what is wrong with it
 */
export function loadSound(name: SoundName): Sound {
  const file = new URL(`../sounds/${name}.ogg`, import.meta.url);
  const sound = readOggOpus(readFileSync(file));
  if (!sound.ok) throw new Error(`${file.pathname}: ${sound.message}`);
  return sound.packets;
}
