#!/bin/sh
# What: a package of the tree has an optional dependency that the registry does not have (404). `npm install` of npm 11 succeeds, says nothing
#       of it and writes a package-lock.json; its `npm ci` refuses that very file ("Missing: … from lock file"), so the failure appears first
#       where others install. npm 10 installs from the same kind of file. Seen with vite 8.4.0 on 2026-11-30, whose optional
#       `napi-windows-process-start-time` answered 404.
# Versions: npm 10.9.4 and 11.19.1 (npm package npm); Node of the machine.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent npm10@npm:npm@10.9.4 npm11@npm:npm@11.19.1
mkdir optional project
cat >optional/package.json <<'JSON'
{ "name": "optional", "version": "1.0.0", "optionalDependencies": { "absent": "1.0.0" } }
JSON
(cd optional && npm pack --silent >/dev/null)
cat >run.mjs <<'JS'
import { spawn } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

// A registry that has nothing.
const server = createServer((request, response) => response.writeHead(404, { 'content-type': 'application/json' }).end('{}'));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const registry = `--registry=http://127.0.0.1:${server.address().port}/`;
const run = (npm, ...words) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [`node_modules/${npm}/bin/npm-cli.js`, '--prefix', 'project', ...words, registry, '--no-audit', '--no-fund']);
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
    child.on('close', (code) => resolve({ code, text }));
  });
let isSame = true;
for (const npm of ['npm10', 'npm11']) {
  for (const name of ['node_modules', 'package-lock.json']) rmSync(`project/${name}`, { recursive: true, force: true });
  writeFileSync('project/package.json', JSON.stringify({ name: 'project', version: '1.0.0', dependencies: { optional: 'file:../optional/optional-1.0.0.tgz' } }));
  const { text: version } = await run(npm, '--version');
  const install = await run(npm, 'install');
  const ci = await run(npm, 'ci');
  const missing = /Missing: .*/.exec(ci.text)?.[0];
  console.log(`npm ${version.trim()}: install ends with ${install.code}${install.text.includes('absent') ? ' and names it' : ''}; ci ends with ${ci.code}${missing === undefined ? '' : `: ${missing}`}`);
  isSame &&= install.code === 0 && !install.text.includes('absent') && (npm === 'npm10' ? ci.code === 0 : ci.code === 1 && missing !== undefined);
}
server.close();
process.exit(isSame ? 0 : 1);
JS
node run.mjs
