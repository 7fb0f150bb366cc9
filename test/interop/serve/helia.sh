#!/usr/bin/env bash
# Fetches a file by CID from a running server with unmodified Helia, which verifies every block: once with the server as its provider, once with
# the server as its only router.
#   helia.sh http://127.0.0.1:7430 CID
# Needs npm; a Node.js 22 is installed beside it, because verified-fetch does not load on 20. Everything is kept in a temporary folder.
set -euo pipefail

url=${1:?address of the server} cid=${2:?CID of a file}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund \
  node@22 helia@7.1.15 @helia/http@4.0.7 @helia/verified-fetch@8.0.4 @multiformats/uri-to-multiaddr > /dev/null

cat > fetch.mjs <<'SCRIPT'
import { withHTTP } from '@helia/http';
import { createVerifiedFetchWithHelia } from '@helia/verified-fetch';
import { uriToMultiaddr } from '@multiformats/uri-to-multiaddr';
import { createHeliaLight } from 'helia';

const [url, cid, way] = process.argv.slice(2);
const near = { allowLocal: true, allowInsecure: true };
const helia = await withHTTP(createHeliaLight(), { ...near, delegatedRouters: [url], recursiveGateways: [] }).start();
const fetch = await createVerifiedFetchWithHelia(helia);
const providers = way === 'provider' ? { providers: [uriToMultiaddr(url)] } : {};
const answer = await fetch(`ipfs://${cid}`, { ...near, ...providers, signal: AbortSignal.timeout(60_000) });
console.log(`ok    Helia, server as ${way}: ${(await answer.arrayBuffer()).byteLength} bytes`);
process.exit(answer.ok ? 0 : 1);
SCRIPT
for way in provider router; do node_modules/node/bin/node fetch.mjs "$url" "$cid" "$way"; done
