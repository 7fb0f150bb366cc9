#!/usr/bin/env bash
# Asks a running server with unmodified clients of npm: transformers.js loads the configuration and the tokenizer of a repository, node-llama-cpp
# downloads a GGUF file in parallel ranges.
#   npm.sh http://127.0.0.1:7430 owner/name [TAG of a GGUF file, such as Q4_K_M]
# Needs npm and python3. Everything is kept in a temporary folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${1:?address of the server} repo=${2:?owner/name} tag=${3:-}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 "$here/sums.py" "$url" "$repo" > sums
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts @huggingface/transformers@4.3.1 node-llama-cpp@3.21.1 > /dev/null

cat > transformers.mjs <<'SCRIPT'
import { AutoConfig, AutoTokenizer, env } from '@huggingface/transformers';

const [url, repo, cacheDir] = process.argv.slice(2);
Object.assign(env, { remoteHost: `${url}/`, allowLocalModels: false, cacheDir });
const { model_type } = await AutoConfig.from_pretrained(repo);
const tokenizer = await AutoTokenizer.from_pretrained(repo);
console.log(`ok    transformers.js: a ${model_type}, "hello world" is ${tokenizer.encode('hello world')}`);
SCRIPT
cat > llama.mjs <<'SCRIPT'
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createModelDownloader } from 'node-llama-cpp';

const [modelUri, dirPath] = process.argv.slice(2);
const downloader = await createModelDownloader({ modelUri, dirPath, showCliProgress: false });
const path = await downloader.download();
console.log(createHash('sha256').update(await readFile(path)).digest('hex'));
SCRIPT

failed=0
node transformers.mjs "$url" "$repo" "$folder/cache" || { echo 'FAIL  transformers.js'; failed=1; }
if [ -n "$tag" ]; then
  sum=$(HF_ENDPOINT="$url" MODEL_ENDPOINT="$url" node llama.mjs "hf:$repo:$tag" "$folder/models" | tail -n 1)
  grep "^$sum .*gguf" sums > /dev/null && echo "ok    node-llama-cpp hf:$repo:$tag" || { echo "FAIL  node-llama-cpp hf:$repo:$tag"; failed=1; }
fi
exit "$failed"
