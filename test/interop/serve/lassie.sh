#!/usr/bin/env bash
# Fetches a file by CID from a running server with an installed lassie, whole, in part and as one block, and compares what ipfs-car unpacks of it
# with what the server gives itself. lassie verifies every block.
#   lassie.sh http://127.0.0.1:7430 CID
# Needs lassie on the PATH, or its path in LASSIE, and npm. Everything is kept in a temporary folder.
set -euo pipefail

url=${1:?address of the server} cid=${2:?CID of a file}
lassie=$(command -v "${LASSIE:-lassie}") || { echo 'lassie is not on the PATH: name it in LASSIE'; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund --prefix "$folder" ipfs-car@3.1.0 > /dev/null
fetch() { HOME="$folder" timeout 120 "$lassie" fetch --providers "$url" "$@" "$cid" > log 2>&1 || { tail -n 5 log; echo "FAIL  lassie $*"; exit 1; }; }

curl -sSf -L -o here.bin "$url/ipfs/$cid"
fetch -o whole.car
node node_modules/ipfs-car/bin.js unpack whole.car --output got.bin
cmp here.bin got.bin && echo "ok    lassie $("$lassie" version | sed 's/.* v//'): $(stat -c %s got.bin) bytes"
fetch --dag-scope block -o block.car
fetch --dag-scope entity --entity-bytes 0:0 -o part.car
echo "ok    lassie, CARs of one block and of the first byte: $(stat -c %s block.car part.car | paste -sd ' ') bytes"
