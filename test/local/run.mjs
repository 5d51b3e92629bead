// Runs a script of this project with the Node that the lock file pins; every npm script goes through here.
// Works on any Node from 20 on and needs no package: it is what installs them when the lock file has changed.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const bin = join(root, 'node_modules', '.bin');

const packagesOf = (file) => {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages ?? {};
  } catch {
    return {};
  }
};

/** True when a package that the lock file asks for is absent or has another version. */
function isStale() {
  const installed = packagesOf('node_modules/.package-lock.json');
  return Object.entries(packagesOf('package-lock.json')).some(
    ([path, wanted]) => path && !wanted.optional && installed[path]?.version !== wanted.version,
  );
}

// The platform package is addressed directly: npm 10 drops .bin/node when two packages offer the same command.
const ownBin = join(root, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin');

if (isStale()) {
  console.error('Installing dependencies (first run, or the lock file changed) ...');
  const npm = (process.env.npm_execpath ?? '').endsWith('npm-cli.js')
    ? [process.execPath, process.env.npm_execpath]
    : ['npm'];
  const [command, ...prefix] = npm;
  const install = [...prefix, 'ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status } = spawnSync(command, install, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    console.error('Installing failed (see above). Check the network and run the command again.');
    process.exit(status ?? 1);
  }
}

const hasOwn = existsSync(join(ownBin, 'node'));
const [major, minor] = process.versions.node.split('.').map(Number);
if (!hasOwn && (major < 22 || (major === 22 && minor < 18))) {
  console.error(
    `Node ${process.versions.node} cannot run this project, and no pinned Node exists for ` +
      `${process.platform}-${process.arch}: install Node 24 (https://nodejs.org) and run the command again.`,
  );
  process.exit(1);
}

const [script, ...args] = process.argv.slice(2);
const child = spawn(
  hasOwn ? join(ownBin, 'node') : process.execPath,
  [join(root, script), ...args],
  {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, PATH: [ownBin, bin, process.env.PATH].join(delimiter) },
  },
);
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
// On a terminal Ctrl-C reaches the child by itself; passing it on would make it two.
process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'));
child.on('exit', (code, signal) =>
  process.exit(signal ? 128 + ({ SIGTERM: 15, SIGINT: 2 }[signal] ?? 1) : (code ?? 1)),
);
