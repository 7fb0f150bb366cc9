#!/bin/sh
# What: `fs.mkdir` of Node with `recursive: true` never settles for a path in /proc that cannot be made, and its thread runs at full load for
#       ever, so the process does not end by itself either. Without `recursive` it fails at once with ENOENT, as `mkdir -p` and Python do.
# Versions: Node 20.20.2 and 24.21.0 (npm package node); Linux.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true}' >package.json
npm install --no-audit --no-fund --silent node20@npm:node@20.20.2 node24@npm:node@24.21.0
cat >run.mjs <<'JS'
import { mkdir } from 'node:fs/promises';

const path = '/proc/none';
const codeOf = (made) => made.then(() => 'made', ({ code }) => code);
const plain = await codeOf(mkdir(path));
const pause = new Promise((resolve) => setTimeout(resolve, 3_000, 'nothing for 3 s'));
const before = process.cpuUsage().system + process.cpuUsage().user;
const recursive = await Promise.race([codeOf(mkdir(path, { recursive: true })), pause]);
const { user, system } = process.cpuUsage();
const cpuSeconds = ((user + system - before) / 1e6).toFixed(1);
console.log(`${process.version}: mkdir ${plain}; recursive ${recursive}, CPU ${cpuSeconds} s`);
// The thread holds the process; it has to be killed.
process.exitCode = plain === 'ENOENT' && recursive === 'nothing for 3 s' ? 0 : 1;
process.kill(process.pid, process.exitCode === 0 ? 'SIGTERM' : 'SIGKILL');
JS
for node in node20 node24; do
  code=0
  "./node_modules/$node/bin/node" run.mjs || code=$?
  [ "$code" = 143 ] || exit 1
done
python3 -c 'import os
try: os.makedirs("/proc/none")
except FileNotFoundError: print("Python: FileNotFoundError")'
