// The sounds that come with the relay, in relay/sounds/.
import { readFileSync } from 'node:fs';
import { readOggOpus } from '../domain/ogg.ts';
import type { Sound } from '../domain/player.ts';
import { SHIPPED_SOUNDS } from '../protocol.ts';

type NameOf<Id> = Id extends `sound:${infer Name}` ? Name : never;

/** As in its prompt id, behind the colon. */
export type SoundName = NameOf<(typeof SHIPPED_SOUNDS)[number]>;

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

/**
 * Reads all of them.
 *
 * @throws Error as `loadSound`
 */
export function loadSounds(): {
  readonly hold: Sound;
  readonly byName: ReadonlyMap<string, Sound>;
} {
  const names = SHIPPED_SOUNDS.map((id) => id.slice('sound:'.length) as SoundName);
  const byName = new Map(names.map((name) => [name, loadSound(name)]));
  return { hold: byName.get('hold') ?? loadSound('hold'), byName };
}
