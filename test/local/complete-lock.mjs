// Adds to package-lock.json the platform packages that an incomplete registry mirror does not carry.
// npm leaves such optional packages out of the lock without a word, and `npm ci` then refuses the lock.
// Dependency-free, runs on any Node. Call it through `npm run lock`.
import { readFileSync, writeFileSync } from 'node:fs';

const SYSTEMS = [
  'darwin',
  'win32',
  'android',
  'freebsd',
  'openbsd',
  'netbsd',
  'sunos',
  'aix',
  'linux',
  'openharmony',
];
const PROCESSORS = [
  'arm64',
  'x64',
  'ia32',
  'arm',
  'ppc64',
  's390x',
  'riscv64',
  'loong64',
  'mips64el',
];
const MODULES = 'node_modules/';

const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));

/** The lock key that Node's resolution finds for `name` from the package at `from`, or null. */
function resolve(from, name) {
  for (let path = from; ;) {
    const key = `${path ? `${path}/` : ''}${MODULES}${name}`;
    if (lock.packages[key]) return key;
    if (!path) return null;
    const parent = path.lastIndexOf(MODULES);
    path = parent <= 0 ? '' : path.slice(0, parent - 1);
  }
}

let added = 0;
for (const [path, owner] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(owner.optionalDependencies ?? {})) {
    const found = resolve(path, name);
    // A range cannot be stubbed; npm itself tolerates those that are missing (fsevents).
    if ((found && lock.packages[found].version === version) || !/^\d/.test(version)) continue;
    const words = name.toLowerCase().replace('windows', 'win32').split(/[-_/]/);
    const system = SYSTEMS.find((word) => words.includes(word));
    const processor =
      PROCESSORS.find((word) => words.includes(word)) ?? (words.includes('64') ? 'x64' : undefined);
    const clash =
      lock.packages[MODULES + name] && lock.packages[MODULES + name].version !== version;
    const key = clash ? path.slice(0, path.lastIndexOf(MODULES)) + MODULES + name : MODULES + name;
    lock.packages[key] = {
      version,
      ...(owner.dev ? { dev: true } : {}),
      optional: true,
      ...(processor ? { cpu: [processor] } : {}),
      ...(system ? { os: [system] } : {}),
      ...(words.includes('musl') ? { libc: ['musl'] } : {}),
    };
    added += 1;
  }
}

const { '': root, ...rest } = lock.packages;
const sorted = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = { '': root, ...Object.fromEntries(sorted) };
writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${added} platform packages added`);
