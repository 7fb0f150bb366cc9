#!/usr/bin/env bash
# Loads a dataset of Parquet or JSON files from a running server with the unmodified library datasets, whole and as a stream, and compares the
# files that it kept with the digests in the server's own list.
#   datasets.sh http://127.0.0.1:7430 owner/name
# Needs python3 with venv and PyPI. Everything is kept in a temporary folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${1:?address of the server} repo=${2:?owner/name}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 "$here/sums.py" "$url" "$repo" main datasets > sums
python3 -m venv venv
venv/bin/pip install -q datasets==5.2.0

cat > load.py <<'PYTHON'
import sys
from datasets import load_dataset

whole, stream = load_dataset(sys.argv[1]), load_dataset(sys.argv[1], streaming=True)
for split, rows in whole.items():
    assert list(rows) == list(stream[split]), f"the stream of {split} has other rows"
    print(f"ok    datasets, split {split}: {len(rows)} rows, the same as a stream")
PYTHON
HF_HOME="$folder/home" HF_ENDPOINT="$url" HF_HUB_DISABLE_TELEMETRY=1 venv/bin/python load.py "$repo" 2> log || { tail -n 5 log; echo 'FAIL  datasets'; exit 1; }
cd "$(echo home/hub/datasets--*/snapshots/*)"
# Files that the library does not read, such as a licence, are not there.
while read -r sum path; do [ ! -e "$path" ] || echo "$sum  $path"; done < "$folder/sums" > "$folder/kept"
grep -Eq '\.(parquet|jsonl?)$' "$folder/kept" && sha256sum --quiet -c "$folder/kept" && echo "ok    datasets, $(wc -l < "$folder/kept") files" ||
  { echo 'FAIL  datasets: other bytes'; exit 1; }
