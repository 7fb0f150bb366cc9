#!/usr/bin/env bash
# Fetches a file by CID from a running server with an unmodified kubo, whose only router is the server, and compares it with what the server
# gives itself. kubo verifies every block.
#   kubo.sh http://127.0.0.1:7430 CID
# Needs Go with its module proxy and python3; compiling takes some minutes. With KUBO=/path/to/ipfs that program is used. Everything else is kept in a
# temporary folder.
set -euo pipefail

url=${1:?address of the server} cid=${2:?CID of a file, or CID/path}
folder=$(mktemp -d)
daemon=''
trap '[ -z "$daemon" ] || { kill "$daemon"; wait "$daemon" || true; }; chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
if [ -z "${KUBO:-}" ]; then
  # `go install` refuses a module that excludes or replaces others, so it is built in a copy of its own.
  module=$(go mod download -json github.com/ipfs/kubo@v0.43.0 | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')
  cp -r "$module" source
  chmod -R u+w source
  (cd source && go build -ldflags=-w -o "$folder/ipfs" ./cmd/ipfs)
  KUBO="$folder/ipfs"
fi
export IPFS_PATH="$folder/repo"
"$KUBO" init --profile=test > /dev/null
"$KUBO" config --json Bootstrap '[]'
"$KUBO" config --json AutoConf.Enabled false
"$KUBO" config --json DNS.Resolvers '{}'
"$KUBO" config --json Ipns.DelegatedPublishers '[]'
"$KUBO" config --json Routing "{\"Type\": \"delegated\", \"DelegatedRouters\": [\"$url\"]}"
"$KUBO" config --json Provide.Enabled false
"$KUBO" daemon > daemon.log 2>&1 &
daemon=$!
for _ in $(seq 120); do grep -q 'Daemon is ready' daemon.log && break; kill -0 "$daemon" 2> /dev/null || break; sleep 0.5; done
grep -q 'Daemon is ready' daemon.log || { tail -n 5 daemon.log; echo 'FAIL  kubo does not start'; exit 1; }

curl -sSf -L -o here.bin "$url/ipfs/$cid"
"$KUBO" cat --timeout=120s "/ipfs/$cid" > got.bin && cmp here.bin got.bin && echo "ok    kubo $("$KUBO" version --number): $(stat -c %s got.bin) bytes"
