#!/bin/sh
# What: `hf_hub_download` of huggingface_hub joins parts of two versions and reports success. When the connection breaks it goes on with `Range`
#       at the same URL, without `If-Range`, and reads neither the `ETag` nor the `X-Repo-Commit` of the second answer. Where somebody pushed to the branch
#       meanwhile, and the new file is as long as the old one, as fine-tuned weights are, the first part is of the old commit and the rest of the new
#       one. The blob is stored under the SHA-256 of the old file, which it does not have, so later downloads take it from the cache.
# Versions: huggingface_hub 2.4.0 of PyPI, Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check huggingface_hub==2.4.0
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep '^huggingface_hub'

cat >hub.py <<'PY'
"""A hub whose branch `main` moves while the first answer is sent; that answer breaks off after two thirds."""
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZE = 30 * 1024 * 1024
SENT = 20 * 1024 * 1024
VERSIONS = [("1" * 40, b"a" * SIZE), ("2" * 40, b"b" * SIZE)]
state = {"main": 0}


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.head()

    def do_GET(self):
        start, content = self.head()
        if start > 0:
            self.wfile.write(content[start:])
            return
        self.wfile.write(content[:SENT])
        state["main"] = 1
        self.close_connection = True

    def head(self):
        commit, content = VERSIONS[state["main"]]
        asked = self.headers.get("range")
        start = int(asked[len("bytes="):].split("-")[0]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("x-repo-commit", commit)
        self.send_header("etag", '"%s"' % hashlib.sha256(content).hexdigest())
        self.send_header("content-length", str(SIZE - start))
        if asked:
            self.send_header("content-range", f"bytes {start}-{SIZE - 1}/{SIZE}")
        self.end_headers()
        told = f"range {asked}, If-Range {self.headers.get('if-range')}"
        print(f"{self.command:4} main, {told}: commit {commit[:3]}…", flush=True)
        return start, content


server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 hub.py >log &
server=$!
until port=$(head -n 1 log | grep .); do sleep 0.1; done

cat >get.py <<'PY'
import hashlib
import os

from huggingface_hub import hf_hub_download

path = hf_hub_download("acme/tiny", "model.bin")
content = open(path, "rb").read()
named = os.path.basename(os.path.realpath(path))
digest = hashlib.sha256(content).hexdigest()
print("success   :", len(content), "bytes:", content.count(b"a"), "of commit 111…,", content.count(b"b"), "of commit 222…")
print("blob name :", named)
print("SHA-256   :", digest)
old = hashlib.sha256(b"a" * len(content)).hexdigest()
raise SystemExit(0 if named == old != digest and content.count(b"b") > 0 else 1)
PY
status=0
HF_HOME="$folder/home" HF_ENDPOINT="http://127.0.0.1:$port" HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_VERBOSITY=error \
  venv/bin/python get.py || status=1
sed -n '2,$p' log
exit $status
