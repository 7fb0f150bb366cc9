#!/bin/sh
# What: `bonjour-service` ends the process when port 5353 is bound by a program that does not share it, also where its constructor is
#       given an error callback: the socket of `multicast-dns` emits "error", and the library listens to none. The callback is called for answers
#       that cannot be sent alone. The caller cannot add a listener, because the socket is private.
# Versions: bonjour-service 1.4.4, multicast-dns 7.2.5, Node of the machine; Linux.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent bonjour-service@1.4.4 multicast-dns@7.2.5
cat >run.mjs <<'JS'
import { createSocket } from 'node:dgram';
import { Bonjour } from 'bonjour-service';
import makeMdns from 'multicast-dns';

// Another program may hold the port already; then it is taken as well.
const taken = createSocket('udp4');
await new Promise((resolve) => taken.once('listening', resolve).once('error', resolve).bind(5353));
const told = [];
process.once('uncaughtException', ({ code }) => {
  console.log(`bonjour-service: uncaught ${code}; callback called ${told.length} times`);
  const mdns = makeMdns();
  mdns.once('error', (error) => {
    console.log(`multicast-dns: its listener gets ${error.code}`);
    process.exit(code === 'EADDRINUSE' && told.length === 0 ? 0 : 1);
  });
});
console.log(process.version, process.platform);
new Bonjour({}, (error) => told.push(error)).find({ type: 'http' });
setTimeout(() => {
  console.log(`no uncaught error; callback called ${told.length} times`);
  process.exit(1);
}, 3000);
JS
node run.mjs
