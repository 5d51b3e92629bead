// Secrets of one local stack: generated once, kept in its state folder, replaced by the environment where that names them.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Everything that the parts of a local stack must agree on. */
export type StackSecrets = {
  META_APP_SECRET: string;
  META_VERIFY_TOKEN: string;
  META_ACCESS_TOKEN: string;
  ADMIN_API_KEY: string;
  TOKEN_ENCRYPTION_KEYS: string;
  ASK_SECRET: string;
  LIVEKIT_API_KEY: string;
  LIVEKIT_API_SECRET: string;
};

const generate = (): StackSecrets => ({
  META_APP_SECRET: randomBytes(16).toString('hex'),
  META_VERIFY_TOKEN: randomBytes(12).toString('hex'),
  META_ACCESS_TOKEN: `EAA${randomBytes(24).toString('hex')}`,
  ADMIN_API_KEY: `admin-${randomBytes(24).toString('hex')}`,
  ASK_SECRET: `whsec_${randomBytes(32).toString('base64')}`,
  TOKEN_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString('base64')}`,
  LIVEKIT_API_KEY: 'roomline-local',
  LIVEKIT_API_SECRET: randomBytes(24).toString('hex'),
});

/** Reads the secrets of a state folder, generating those that are missing. Readable by this user only. */
export async function loadSecrets(stateFolder: string): Promise<StackSecrets> {
  const path = join(stateFolder, 'secrets.json');
  await mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const kept = await readJson<Partial<StackSecrets>>(path);
  const secrets = { ...generate(), ...kept };
  await writeFile(path, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  const named = Object.keys(secrets).filter((name) => process.env[name]);
  return { ...secrets, ...Object.fromEntries(named.map((name) => [name, process.env[name]])) };
}

/** Writes the worker's secrets as the file that its runtime reads, in dotenv form. */
export async function writeWorkerSecrets(
  path: string,
  secrets: Readonly<Record<string, string>>,
): Promise<void> {
  const lines = Object.entries(secrets).map(([name, value]) => `${name}="${value}"\n`);
  await writeFile(path, lines.join(''), { mode: 0o600 });
}

/** What the API returned once and does not show again. */
export type Credentials = { relay: { id: string; secret: string }; agent: { key: string } };

const credentialsPath = (stateFolder: string): string => join(stateFolder, 'credentials.json');

/** @returns undefined when nothing was registered from this state folder yet */
export const loadCredentials = (stateFolder: string): Promise<Credentials | undefined> =>
  readJson<Credentials>(credentialsPath(stateFolder));

export const saveCredentials = (stateFolder: string, credentials: Credentials): Promise<void> =>
  writeFile(credentialsPath(stateFolder), JSON.stringify(credentials, null, 2), { mode: 0o600 });

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`${path} is not readable; delete its folder to start afresh`, { cause: error });
  }
}
