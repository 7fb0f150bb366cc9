#!/bin/sh
# What: the two tar readers that most JavaScript programs use give other bytes, under another name, for a file with holes.
#       bsdtar (macOS, FreeBSD) writes every file with holes as a GNU sparse member of a pax archive (version 1.0), and so does
#       `tar --format=posix -S`. `tar` and `tar-stream` know neither the keys GNU.sparse.* nor the map in front of the data: they
#       report no error or warning and give "GNUSparseFile.0/NAME" with the map and the stored parts as its content.
# Versions: npm tar 7.5.23, npm tar-stream 3.2.2; the archive is what GNU tar 1.34 and bsdtar 3.6.2 write, and Python's tarfile reads it.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent tar@7.5.23 tar-stream@3.2.2
cat >make.mjs <<'JS'
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import tarStream from 'tar-stream';

// A file of 1 MiB whose only data is "data" at byte 524288, as a sparse member of version 1.0.
const whole = Buffer.alloc(1048576);
whole.write('data', 524288);
const map = Buffer.alloc(512);
map.write('1\n524288\n4\n');
const pack = tarStream.pack();
pack.entry(
  {
    name: 'GNUSparseFile.0/w.bin',
    pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'w.bin', 'GNU.sparse.realsize': '1048576' },
  },
  Buffer.concat([map, Buffer.from('data')]),
);
pack.finalize();
const chunks = [];
for await (const chunk of pack) chunks.push(chunk);
writeFileSync('sparse.tar', Buffer.concat(chunks));
console.log('right          w.bin', whole.length, createHash('sha256').update(whole).digest('hex').slice(0, 16));
JS
cat >read.mjs <<'JS'
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import * as tar from 'tar';
import tarStream from 'tar-stream';

const seen = [];
const see = (reader, name, bytes) => {
  seen.push([name, bytes.length].join(' '));
  console.log(reader.padEnd(14), name, bytes.length, createHash('sha256').update(bytes).digest('hex').slice(0, 16));
};
const warnings = [];
await tar.x({ file: 'sparse.tar', cwd: '.', onwarn: (code) => warnings.push(code) });
see('tar', 'GNUSparseFile.0/w.bin', readFileSync('GNUSparseFile.0/w.bin'));
for await (const entry of createReadStream('sparse.tar').pipe(tarStream.extract())) {
  const chunks = [];
  for await (const chunk of entry) chunks.push(chunk);
  see('tar-stream', entry.header.name, Buffer.concat(chunks));
}
console.log('warnings of tar:', warnings.length);
process.exit(seen.length === 2 && seen.every((one) => one === 'GNUSparseFile.0/w.bin 516') && warnings.length === 0 ? 0 : 1);
JS
node --version
node make.mjs
if command -v python3 >/dev/null; then
  python3 -c "
import hashlib, tarfile
member = tarfile.open('sparse.tar').getmembers()[0]
data = tarfile.open('sparse.tar').extractfile(member).read()
print('Python tarfile', member.name, len(data), hashlib.sha256(data).hexdigest()[:16])"
fi
node read.mjs
