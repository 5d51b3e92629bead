// Takes libopus out of its package as a WebAssembly module of its own: the worker's runtime compiles no code, so a module has to
// be part of the deployment, and the package carries it as text inside a script.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Spec: WebAssembly core 1.0, section 5.5: the sections follow 8 bytes of magic and version, and exports are section 7. */
const SECTIONS_AT = 8;
const EXPORT_SECTION = 7;

/** The module, its exports under the names that the package's script gives them; there they are single letters. */
export async function opusWasm(): Promise<Uint8Array> {
  const script = new URL('generated/libopus.generated.mjs', import.meta.resolve('libopus-wasm'));
  const binary = await binaryOf(script);
  return renamed(binary, namesIn(await readFile(fileURLToPath(script), 'utf8')));
}

/** What the script hands to the compiler. */
async function binaryOf(script: URL): Promise<Uint8Array> {
  const { instantiate } = WebAssembly;
  let binary: Uint8Array | undefined;
  const watch = (bytes: BufferSource, imports: WebAssembly.Imports) => {
    binary = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    return instantiate(bytes, imports);
  };
  Object.assign(WebAssembly, { instantiate: watch });
  try {
    const { default: load } = (await import(script.href)) as { default: () => Promise<unknown> };
    await load();
  } finally {
    Object.assign(WebAssembly, { instantiate });
  }
  if (!binary) throw new Error('libopus-wasm does not compile a module any more');
  return binary;
}

/** By letter. The constructors have no name of their own: they are what the start of the runtime calls. */
function namesIn(script: string): Map<string, string> {
  const functions = [...script.matchAll(/Module\["_(\w+)"\]=wasmExports\["(\w+)"\]/g)];
  const names = new Map(functions.map(([, name = '', letter = '']) => [letter, name]));
  const memory = /memory=wasmMemory=wasmExports\["(\w+)"\]/.exec(script)?.[1];
  const construct = /function initRuntime\(\)\{[^}]*wasmExports\["(\w+)"\]\(\)/.exec(script)?.[1];
  if (names.size === 0 || memory === undefined || construct === undefined)
    throw new Error('libopus-wasm names its exports in another way than before');
  return names.set(memory, 'memory').set(construct, '_initialize');
}

function renamed(binary: Uint8Array, names: ReadonlyMap<string, string>): Uint8Array {
  const parts: (Uint8Array | readonly number[])[] = [binary.subarray(0, SECTIONS_AT)];
  for (let at = SECTIONS_AT; at < binary.length;) {
    const [length, start] = readNumber(binary, at + 1);
    const end = start + length;
    if (binary[at] === EXPORT_SECTION) {
      const section = renamedExports(binary.subarray(start, end), names);
      parts.push([EXPORT_SECTION, ...numberBytes(section.length)], section);
    } else parts.push(binary.subarray(at, end));
    at = end;
  }
  return Buffer.concat(parts.map((part) => Uint8Array.from(part)));
}

/** Spec: WebAssembly core 1.0, section 5.5.10: a count, then name, kind and index of each. */
function renamedExports(section: Uint8Array, names: ReadonlyMap<string, string>): number[] {
  const [count, first] = readNumber(section, 0);
  const bytes = numberBytes(count);
  for (let number = 0, at = first; number < count; number++) {
    const [length, start] = readNumber(section, at);
    const letter = Buffer.from(section.subarray(start, start + length)).toString();
    const name = Buffer.from(names.get(letter) ?? letter);
    const [, end] = readNumber(section, start + length + 1);
    bytes.push(...numberBytes(name.length), ...name, ...section.subarray(start + length, end));
    at = end;
  }
  return bytes;
}

/** Spec: WebAssembly core 1.0, section 5.2.2: seven bits a byte, the lowest first. @returns the number, and where it ends */
function readNumber(bytes: Uint8Array, at: number): [value: number, end: number] {
  const byte = bytes[at] ?? 0;
  if (byte < 128) return [byte, at + 1];
  const [rest, end] = readNumber(bytes, at + 1);
  return [(byte & 127) + rest * 128, end];
}

const numberBytes = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...numberBytes(value >>> 7)];
