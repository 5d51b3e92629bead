// Prompts from upload to relay, with the real codec, D1 and R2.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openOpus } from '../../worker/adapters/opus.ts';
import { createApp } from '../../worker/app.ts';
import { readOggOpus } from '../../worker/domain/ogg-read.ts';
import { writeOggOpus } from '../../worker/domain/ogg-write.ts';
import { addPrompt } from '../../worker/handlers/keep-prompt.ts';
import { sweepAudio } from '../../worker/handlers/sweep-audio.ts';
import { ownServices } from './own-services.ts';
import { amplitudeOf, audioKeys, bucketThat, sine, wavOf } from './sounds.ts';
import { ADMIN_KEY, api, FakeRelay, Outside, request, testEnv, unique } from './support.ts';

interface Prompt {
  id: string;
  name: string;
  duration_ms: number;
  bytes: number;
  sha256: string;
  reason?: string;
  detail?: string;
  errors?: { field: string }[];
}

beforeAll(() => void Outside.open());
afterAll(() => vi.restoreAllMocks());

const authorized = { authorization: `Bearer ${ADMIN_KEY}` };
const RATE_HZ = 8_000;
const tone = wavOf(sine(440, RATE_HZ, RATE_HZ));

async function upload(
  file: Uint8Array,
  type = 'audio/wav',
  query = '?name=Welcome',
): Promise<{ status: number; body: Prompt }> {
  const response = await request(`/v1/prompts${query}`, {
    method: 'POST',
    headers: { ...authorized, 'content-type': type },
    body: file,
  });
  return { status: response.status, body: await response.json() };
}
const uploaded = async (file = tone, type?: string): Promise<Prompt> => {
  const { status, body } = await upload(file, type);
  expect([status, body.detail]).toEqual([201, undefined]);
  return body;
};
const audioOf = async (id: string, headers: Record<string, string> = {}) => {
  const response = await request(`/v1/prompts/${id}/audio`, {
    headers: { ...authorized, ...headers },
  });
  return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
};

/** What a player of the file hears, at 48 kHz. */
function heardIn(file: Uint8Array): Float32Array {
  const ogg = readOggOpus(file);
  if (!ogg.ok) throw new Error(ogg.message);
  const decoder = openOpus().decoder(0);
  const pieces = ogg.packets.map((packet) => decoder.decode(packet) ?? new Float32Array());
  const samples = new Float32Array(ogg.samples);
  pieces.forEach((piece, index) => samples.set(piece, index * 960));
  return samples.subarray(ogg.head.preSkip);
}

const hex = (bytes: ArrayBuffer): string =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');

describe('a WAV file', () => {
  it('becomes Ogg Opus that sounds the same, and can be found and fetched', async () => {
    const prompt = await uploaded();
    expect(prompt).toMatchObject({ name: 'Welcome', duration_ms: 1_000 });
    const { response, bytes } = await audioOf(prompt.id);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'audio/ogg',
      'content-length': String(prompt.bytes),
      'cache-control': 'private, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      etag: `"${prompt.sha256}"`,
    });
    expect(bytes).toHaveLength(prompt.bytes);
    expect(hex(await crypto.subtle.digest('SHA-256', bytes))).toBe(prompt.sha256);

    const ogg = readOggOpus(bytes);
    if (!ogg.ok) throw new Error(ogg.message);
    expect(ogg.head.channels).toBe(1);
    expect(new Set(ogg.packets.map((packet) => (packet[0] ?? 0) & 4))).toEqual(new Set([0]));
    expect(ogg.samples).toBe(ogg.packets.length * 960);
    // Whole turns, without the ends.
    const heard = heardIn(bytes).subarray(4_800, 4_800 + 36_000);
    expect(amplitudeOf(440, 48_000, heard)).toBeGreaterThan(0.45);
    expect(amplitudeOf(440, 48_000, heard)).toBeLessThan(0.55);
    expect(amplitudeOf(880, 48_000, heard)).toBeLessThan(0.02);

    expect((await api('GET', `/v1/prompts/${prompt.id}`)).body).toEqual(prompt);
    const { body } = await api<{ data: Prompt[] }>('GET', '/v1/prompts');
    expect(body.data).toContainEqual(prompt);
  });

  it('is converted with pauses, so that a call on the same thread does not wait for it', async () => {
    let turns = 0;
    const seen = new Set<number>();
    const count = (): void => {
      turns += 1;
      timer = setTimeout(count);
    };
    let timer = setTimeout(count);
    const services = ownServices(
      {},
      {
        openCodec: () => ({
          ...openOpus(),
          encoder: () => ({
            delaySamples: 0,
            encode: () => {
              seen.add(turns);
              return Uint8Array.of(0xf8, 0xff, 0xfe);
            },
          }),
        }),
      },
    );
    await addPrompt(services, 'long', 'audio/wav', tone.slice().buffer);
    clearTimeout(timer);
    // 50 frames, ten at a time.
    expect(seen.size).toBeGreaterThanOrEqual(4);
  });
});

describe('an Ogg Opus file', () => {
  /** Two packets of 20 ms in one of 40 ms. Spec: RFC 6716 section 3.2.4. */
  function paired([a, b]: readonly Uint8Array[]): Uint8Array {
    if (!a || !b || a.length > 252 || a[0] !== b[0]) throw new Error('these cannot be paired');
    const [toc = 0, ...first] = a;
    return Uint8Array.of(toc | 2, first.length, ...first, ...b.subarray(1));
  }

  it('that can be sent as it is stays as it is, byte for byte', async () => {
    const { bytes: file } = await audioOf((await uploaded()).id);
    const again = await uploaded(file, 'audio/ogg');
    expect(again.duration_ms).toBeGreaterThanOrEqual(1_000);
    expect((await audioOf(again.id)).bytes).toEqual(file);
  });

  it('of longer packets is converted', async () => {
    const ogg = readOggOpus((await audioOf((await uploaded()).id)).bytes);
    if (!ogg.ok) throw new Error(ogg.message);
    const pairs: Uint8Array[] = [];
    for (let at = 2; at + 1 < ogg.packets.length; at += 2)
      if (ogg.packets[at]?.[0] === ogg.packets[at + 1]?.[0])
        pairs.push(paired(ogg.packets.slice(at, at + 2)));
    expect(pairs.length).toBeGreaterThan(10);
    const file = writeOggOpus(pairs, 0, pairs.length * 1_920);
    const converted = await uploaded(file, 'audio/ogg');
    expect(converted.duration_ms).toBe(pairs.length * 40);
    const { bytes } = await audioOf(converted.id);
    const read = readOggOpus(bytes);
    if (!read.ok) throw new Error(read.message);
    expect(read.samples).toBe(read.packets.length * 960);
    const heard = heardIn(bytes).subarray(4_800, 4_800 + 24_000);
    expect(amplitudeOf(440, 48_000, heard)).toBeGreaterThan(0.4);
  });
});

describe('what cannot be used', () => {
  it.each<[what: string, file: Uint8Array, type: string, reason: string]>([
    ['nothing', new Uint8Array(0), 'audio/wav', 'empty'],
    ['a WAV file that is called Ogg', tone, 'audio/ogg', 'not-ogg'],
    ['text that is called WAV', new TextEncoder().encode('hello'), 'audio/wav', 'not-wav'],
    ['a WAV file that is cut off', tone.subarray(0, 200), 'audio/wav', 'truncated'],
    ['a WAV file of nothing', wavOf([]), 'audio/wav', 'empty'],
  ])('%s is refused with the reason, and leaves nothing', async (_what, file, type, reason) => {
    const before = await audioKeys();
    const { status, body } = await upload(file, type);
    expect([status, body.reason]).toEqual([400, reason]);
    expect(body.detail).not.toBe('');
    expect(await audioKeys()).toEqual(before);
  });

  it('names a checksum that is wrong, and a packet that is no Opus to the codec', async () => {
    const { bytes } = await audioOf((await uploaded()).id);
    const corrupt = bytes.slice();
    corrupt[corrupt.length - 1] = (corrupt.at(-1) ?? 0) ^ 1;
    expect((await upload(corrupt, 'audio/ogg')).body.reason).toBe('bad-checksum');
    // Code 3 with a padding that is longer than the packet: seen only by a decoder. Stereo, so that it is decoded.
    const bad = writeOggOpus([Uint8Array.of(0xff, 0x41, 200)], 0, 960);
    expect((await upload(bad, 'audio/ogg')).body).toMatchObject({ reason: 'not-opus' });
  });

  it.each([
    ['another type', 415, () => upload(tone, 'audio/mpeg')],
    ['more than 10 MiB', 413, () => upload(new Uint8Array(10 * 1024 * 1024 + 1))],
    ['no name', 400, () => upload(tone, 'audio/wav', '')],
    ['a name too long', 400, () => upload(tone, 'audio/wav', `?name=${'x'.repeat(201)}`)],
  ])('%s is refused', async (_what, status, send) => {
    expect((await send()).status).toBe(status);
  });
});

describe('a prompt that is deleted', () => {
  const remove = (id: string) =>
    request(`/v1/prompts/${id}`, { method: 'DELETE', headers: authorized });

  it('is gone with its audio', async () => {
    const { id } = await uploaded();
    expect(await audioKeys()).toContain(`prompts/${id}.ogg`);
    expect((await remove(id)).status).toBe(204);
    expect(await audioKeys()).not.toContain(`prompts/${id}.ogg`);
    expect((await api('GET', `/v1/prompts/${id}`)).status).toBe(404);
    expect((await audioOf(id)).response.status).toBe(404);
    const { body } = await api<{ data: Prompt[] }>('GET', '/v1/prompts');
    expect(body.data.map((prompt) => prompt.id)).not.toContain(id);
    expect((await remove(id)).status).toBe(404);
  });

  it('is not one that a number announces with', async () => {
    const { id } = await uploaded();
    const { body: number } = await api<{ id: string }>('POST', '/v1/numbers', {
      provider: 'meta',
      phone_number_id: unique('88'),
      display_phone_number: '15550109999',
      access_token: 'token',
      recording: 'always',
      recording_announcement: id,
    });
    expect((await remove(id)).status).toBe(409);
    expect((await audioOf(id)).response.status).toBe(200);
    const path = `/v1/numbers/${number.id}`;
    expect((await api('PATCH', path, { recording_announcement: null })).status).toBe(200);
    expect((await remove(id)).status).toBe(204);
    const again = await api<Prompt>('PATCH', path, { recording_announcement: id });
    expect(again.body.errors?.map(({ field }) => field)).toEqual(['recording_announcement']);
  });

  it('and whose deletion was interrupted, is finished later', async () => {
    const { id } = await uploaded();
    const broken = ownServices({}, { audio: bucketThat({ delete: fails }) });
    const app = createApp(broken);
    const path = `/v1/prompts/${id}`;
    const answer = await app.request(path, { method: 'DELETE', headers: authorized });
    expect(answer.status).toBe(500);
    expect((await api('GET', path)).status).toBe(404);
    expect(await audioKeys()).toContain(`prompts/${id}.ogg`);
    await sweepAudio(ownServices());
    expect(await audioKeys()).not.toContain(`prompts/${id}.ogg`);
    expect(await rowOf(id)).toBeNull();
  });
});

const fails = () => Promise.reject(new Error('R2 is away'));
const rowOf = (id: string) =>
  testEnv.DB.prepare('SELECT id FROM prompts WHERE id = ?').bind(id).first();

describe('a prompt whose audio never came', () => {
  it('is shown nowhere, and forgotten after an hour', async () => {
    const announced: string[] = [];
    const services = ownServices({}, { audio: bucketThat({ put: fails }) });
    const watched = {
      ...services,
      prompts: {
        ...services.prompts,
        announce: (prompt: Parameters<typeof services.prompts.announce>[0]) => {
          announced.push(prompt.id);
          return services.prompts.announce(prompt);
        },
      },
    };
    await expect(addPrompt(watched, 'lost', 'audio/wav', tone.slice().buffer)).rejects.toThrow(
      'R2 is away',
    );
    const [id = ''] = announced;
    expect((await api('GET', `/v1/prompts/${id}`)).status).toBe(404);
    await sweepAudio(ownServices());
    expect(await rowOf(id)).not.toBeNull();
    await sweepAudio(ownServices({}, { now: () => Date.now() + 3601_000 }));
    expect(await rowOf(id)).toBeNull();
  });
});

describe('a relay', () => {
  it('fetches a prompt with its secret, and not again what it has', async () => {
    const { id, sha256, bytes } = await uploaded();
    const relay = await FakeRelay.register();
    const other = await FakeRelay.register();
    const fetched = async (secret: string, headers: Record<string, string> = {}) => {
      const response = await request(`/v1/relays/${relay.id}/prompts/${id}`, {
        headers: { authorization: `Bearer ${secret}`, ...headers },
      });
      const body = await response.arrayBuffer();
      return { status: response.status, headers: response.headers, length: body.byteLength };
    };
    const first = await fetched(relay.secret);
    expect(first).toMatchObject({ status: 200, length: bytes });
    expect(first.headers.get('cache-control')).toBe('private, max-age=31536000, immutable');
    const again = await fetched(relay.secret, { 'if-none-match': first.headers.get('etag') ?? '' });
    expect(again).toMatchObject({ status: 304, length: 0 });
    expect(first.headers.get('etag')).toBe(`"${sha256}"`);
    expect((await fetched(other.secret)).status).toBe(401);
    expect((await fetched(ADMIN_KEY)).status).toBe(401);
  });
});

describe('a deployment without a bucket', () => {
  const app = createApp(ownServices({}, { audio: null }));
  const ask = async (method: string, path: string, body?: object) => {
    const response = await app.request(path, {
      method,
      headers: { ...authorized, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, type: (await response.json<{ type: string }>()).type };
  };
  const refused = { status: 503, type: 'urn:roomline:problem:not-configured' };

  it('says so wherever audio is needed', async () => {
    expect(await ask('POST', '/v1/prompts?name=x')).toEqual(refused);
    expect(await ask('GET', '/v1/prompts')).toEqual(refused);
    expect(await ask('GET', '/v1/prompts/p1')).toEqual(refused);
    expect(await ask('GET', '/v1/prompts/p1/audio')).toEqual(refused);
    expect(await ask('DELETE', '/v1/prompts/p1')).toEqual(refused);
    expect(await ask('GET', '/v1/calls/c1/recording')).toEqual(refused);
    expect(await ask('DELETE', '/v1/calls/c1/recording')).toEqual(refused);
    expect(await ask('POST', '/v1/calls/c1/recording', { action: 'start' })).toEqual(refused);
    expect(await ask('POST', '/v1/calls/c1/play', { prompt_id: 'p1' })).toEqual(refused);
  });

  it('does not promise to record', async () => {
    const number = {
      provider: 'meta',
      phone_number_id: unique('89'),
      display_phone_number: '15550109999',
      access_token: 'token',
    };
    expect(await ask('POST', '/v1/numbers', { ...number, recording: 'always' })).toEqual(refused);
    expect((await ask('POST', '/v1/numbers', number)).status).toBe(201);
  });

  it('sweeps nothing', async () => {
    await expect(sweepAudio(ownServices({}, { audio: null }))).resolves.toBeUndefined();
  });
});
