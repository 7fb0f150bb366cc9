#!/usr/bin/env bash
# Downloads one repository from a running server with unmodified clients, and compares what each got with the digests in the server's own list.
#   clients.sh http://127.0.0.1:7430 owner/name [revision]
# Needs python3 with venv and PyPI; curl, wget and aria2c are used where they are. Everything is kept in a temporary folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
url=${1:?address of the server} repo=${2:?owner/name} revision=${3:-main}
versions=(0.17.3 0.20.3 0.23.5 0.26.5 0.30.2 0.36.2 1.2.0 1.10.0 1.33.0 2.4.0)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 "$here/sums.py" "$url" "$repo" "$revision" > sums

failed=0
report() { if [ "$2" = 0 ]; then echo "ok    $1"; else echo "FAIL  $1"; failed=1; fi; }

for version in "${versions[@]}"; do
  python3 -m venv "venv-$version"
  "venv-$version/bin/pip" install -q "huggingface_hub==$version" requests 2> /dev/null || { echo "skip  huggingface_hub $version: cannot be installed"; continue; }
  result=0
  HF_HOME="$folder/home-$version" HF_ENDPOINT="$url" HF_HUB_DISABLE_PROGRESS_BARS=1 "venv-$version/bin/python" -c \
    'import sys; from huggingface_hub import snapshot_download as s; print(s(sys.argv[1], revision=sys.argv[2]))' "$repo" "$revision" > "at-$version" 2> "log-$version" &&
    (cd "$(tail -n 1 "at-$version")" && sha256sum --quiet -c "$folder/sums") || { result=1; tail -n 5 "log-$version"; }
  report "huggingface_hub $version" "$result"
  rm -rf "venv-$version" "home-$version"
done

# The list begins with the longest file, so that there is something to go on with.
read -r sum path < sums
file="$url/$repo/resolve/$revision/$(python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1]))' "$path")"
check() { echo "$sum  $1" | sha256sum --quiet -c; }
if command -v curl > /dev/null; then
  curl -sSf -r 0-999 -o curl.bin "$file" && curl -sSf -C - -o curl.bin "$file" && check curl.bin && report "curl -C -" 0 || report "curl -C -" 1
fi
if command -v wget > /dev/null; then
  curl -sSf -r 0-999 -o wget.bin "$file" && wget -q -c -O wget.bin "$file" && check wget.bin && report "wget -c" 0 || report "wget -c" 1
else echo 'skip  wget: not on this machine'; fi
if command -v aria2c > /dev/null; then
  aria2c -q -x4 -s4 -k1M -o aria2.bin "$file" && check aria2.bin && report "aria2c -x4" 0 || report "aria2c -x4" 1
else echo 'skip  aria2c: not on this machine'; fi
exit "$failed"
