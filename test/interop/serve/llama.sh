#!/usr/bin/env bash
# Downloads a GGUF file from a running server with llama.cpp itself, as `llama-server -hf REPO:TAG` does, and compares it with the digests in
# the server's own list. A file that is no model is downloaded too; llama.cpp then says that it cannot load it.
#   llama.sh http://127.0.0.1:7430 owner/name:Q4_K_M
# Needs python3 with venv and PyPI, whose xllamacpp has the C++ code of llama.cpp with its downloader. Everything is kept in a temporary folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${1:?address of the server} model=${2:?owner/name:TAG}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 "$here/sums.py" "$url" "${model%%:*}" > sums
python3 -m venv venv
venv/bin/pip install -q xllamacpp==2026.10.11549

cat > download.py <<'PYTHON'
import sys, xllamacpp

params = xllamacpp.CommonParams()
params.model.hf_repo = sys.argv[1]
params.model.path = 'filled in by llama.cpp'
params.n_ctx, params.warmup = 16, False
try:
    xllamacpp.Server(params)
except RuntimeError as error:
    print(error)
PYTHON
HOME="$folder" HF_HOME="$folder/home" HF_ENDPOINT="$url" venv/bin/python download.py "$model" > log 2>&1 || true
got=$(find home -path '*/snapshots/*.gguf')
[ -n "$got" ] || { tail -n 5 log; echo "FAIL  llama.cpp -hf $model"; exit 1; }
grep -F -- "$(sha256sum < "$(readlink -f "$got")" | cut -d ' ' -f 1)  $(basename "$got")" sums > /dev/null || { echo "FAIL  llama.cpp -hf $model: other bytes"; exit 1; }
echo "ok    llama.cpp -hf $model: $(basename "$got")"
