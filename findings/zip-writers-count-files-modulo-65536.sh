#!/bin/sh
# What: JSZip and fflate write a zip of 70,000 files without an error, and most readers of Node find 4,464 in it, without one either. Both writers leave
#       out zip64, which begins at 65,535 files, and store the count modulo 65,536. yauzl, unzipper, adm-zip and fflate itself stop at that count;
#       JSZip, zip.js and Python read on and find all, so a look with one of these does not show it. A zip that Python writes of the
#       same files has zip64, and all of them read it whole.
# Versions: jszip 3.10.2, fflate 0.8.3, yauzl 3.4.0, unzipper 0.12.5, adm-zip 0.6.1, @zip.js/zip.js 2.24.0 of npm; Node (20 or later) and Python (3.11) of
#       the machine.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts \
  jszip@3.10.2 fflate@0.8.3 yauzl@3.4.0 unzipper@0.12.5 adm-zip@0.6.1 @zip.js/zip.js@2.24.0
cat >write.mjs <<'JS'
import { writeFileSync } from 'node:fs';
import { zipSync } from 'fflate';
import JSZip from 'jszip';

const names = Array.from({ length: 70_000 }, (_, index) => `${index}.json`);
const content = new TextEncoder().encode('{}');
const zip = new JSZip();
for (const name of names) zip.file(name, content);
writeFileSync('jszip.zip', await zip.generateAsync({ type: 'nodebuffer' }));
writeFileSync('fflate.zip', zipSync(Object.fromEntries(names.map((name) => [name, content])), { level: 0 }));
JS
cat >python.py <<'PY'
import json
import zipfile

with zipfile.ZipFile("python.zip", "w") as archive:
    for index in range(70_000):
        archive.writestr(f"{index}.json", "{}")
counts = {name: len(zipfile.ZipFile(f"{name}.zip").namelist()) for name in ("jszip", "fflate", "python")}
print(json.dumps(counts))
PY
cat >read.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { BlobReader, ZipReader } from '@zip.js/zip.js';
import AdmZip from 'adm-zip';
import { unzipSync } from 'fflate';
import JSZip from 'jszip';
import unzipper from 'unzipper';
import yauzl from 'yauzl';

const byYauzl = (path) => new Promise((resolve, reject) => {
  yauzl.open(path, (error, zip) => {
    if (error) return reject(error);
    let count = 0;
    zip.on('entry', () => (count += 1)).on('end', () => resolve(count)).on('error', reject);
  });
});
const READERS = {
  jszip: async (path, data) => Object.keys((await JSZip.loadAsync(data)).files).length,
  'zip.js': async (path, data) => (await new ZipReader(new BlobReader(new Blob([data]))).getEntries()).length,
  fflate: (path, data) => Object.keys(unzipSync(data)).length,
  yauzl: byYauzl,
  unzipper: async (path) => (await unzipper.Open.file(path)).files.length,
  'adm-zip': (path) => new AdmZip(path).getEntries().length,
};
const python = JSON.parse(readFileSync('python.json', 'utf8'));
let isSame = true;
for (const writer of ['jszip', 'fflate', 'python']) {
  const counts = { python: python[writer] };
  for (const [name, count] of Object.entries(READERS)) counts[name] = await count(`${writer}.zip`, readFileSync(`${writer}.zip`));
  console.log(`written by ${writer}:`, counts);
  const part = writer === 'python' ? 70_000 : 70_000 % 65_536;
  isSame &&= ['jszip', 'zip.js', 'python'].every((name) => counts[name] === 70_000);
  isSame &&= ['fflate', 'yauzl', 'unzipper', 'adm-zip'].every((name) => counts[name] === part);
}
console.log(process.version);
process.exit(isSame ? 0 : 1);
JS
node write.mjs
python3 python.py >python.json
node read.mjs
