#!/bin/sh
# What: `os.networkInterfaces()` is documented to return the interfaces that have been assigned a network address. It leaves out one that is up and
#       has addresses, as long as it has no carrier (a cable that is not plugged in, a bridge without members yet), although a server can listen
#       on these addresses and `ip` and Python list the interface. A program that looks once when the machine starts never learns of it.
# Versions: Node 20.20.2 and 24.21.0 (npm package node), iproute2, unshare and Python of the machine; Linux with user namespaces.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent node20@npm:node@20.20.2 node24@npm:node@24.21.0
cat >look.mjs <<'JS'
import { networkInterfaces } from 'node:os';
import { createServer } from 'node:net';

const listed = (networkInterfaces().end1 ?? []).map(({ address }) => address).join(' ') || 'left out';
const server = createServer();
const heard = await new Promise((resolve) => {
  server.once('error', ({ code }) => resolve(code)).listen(0, '10.9.0.1', () => resolve('listens on 10.9.0.1'));
});
console.log(`${listed}; ${heard}`);
server.close();
JS
cat >run.sh <<'SH'
set -eu
ip link add name end1 type veth peer name end2
ip address add 10.9.0.1/24 dev end1
ip address add fd00:9::1/64 dev end1 nodad
ip link set end1 addrgenmode none up
look() { for node in node20 node24; do echo "$1, $(./node_modules/$node/bin/node -p process.version): $(./node_modules/$node/bin/node look.mjs)"; done; }
look 'other end down'
echo "other end down, ip: $(ip -brief address show end1)"
python3 -c 'import socket; print("other end down, Python:", [name for _, name in socket.if_nameindex()])'
ip link set end2 up
until [ "$(cat /sys/class/net/end1/carrier)" = 1 ]; do :; done
look 'other end up'
SH
unshare --map-root-user --net --mount sh -c 'mount -t sysfs sysfs /sys && sh run.sh' | tee seen
[ "$(grep -c '^other end down, v.*: left out; listens on 10.9.0.1$' seen)" = 2 ]
[ "$(grep -c '^other end up, v.*: 10.9.0.1 fd00:9::1; listens on 10.9.0.1$' seen)" = 2 ]
grep -q "^other end down, ip: end1.* 10.9.0.1/24 fd00:9::1/64" seen
grep -q "^other end down, Python: .*'end1'" seen
