// Finds the programs that recordings are tried with. None is downloaded: they are a matter of the operating system's packages.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export const SOUND_TOOLS = ['opusinfo', 'ffmpeg'] as const;
export type SoundTool = (typeof SOUND_TOOLS)[number];

const PACKAGES: Record<SoundTool, string> = { opusinfo: 'opus-tools', ffmpeg: 'ffmpeg' };

/** Shown wherever its test is skipped. */
export const noSoundTool = (tool: SoundTool): string =>
  `no ${tool} found: install it (Debian: apt-get install ${PACKAGES[tool]})`;

/** @returns its path, or undefined when it is not on PATH */
export function findSoundTool(tool: SoundTool): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, tool)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
