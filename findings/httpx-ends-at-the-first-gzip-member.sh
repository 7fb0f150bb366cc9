#!/bin/sh
# What: of a gzip body with several members httpx and httpx2 (which huggingface_hub uses) give the content of the first one as the whole, without an error.
#       RFC 1952 makes such a body one valid gzip; `pgzip` and `bgzip`, and appending with `>>`, write it. Behind a server with precompressed files a
#       JSON file is read as its first megabyte. requests and aiohttp give all of it, and so do Node's `fetch` and `gzip -d`.
# Versions: httpx 0.28.1, httpx2 2.16.2, requests 2.34.2, aiohttp 3.14.5, pgzip 0.4.0 of PyPI; Node (20 or later) and Python (3.11) of the machine.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 httpx2==2.16.2 requests==2.34.2 aiohttp==3.14.5 pgzip==0.4.0
cat >run.py <<'PY'
import asyncio
import gzip
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import httpx
import httpx2
import pgzip
import requests

vocabulary = b"".join(b'{"token": %07d}\n' % number for number in range(200_000))
with pgzip.open("vocabulary.jsonl.gz", "wb", thread=2, blocksize=1_000_000) as file:
    file.write(vocabulary)
with open("vocabulary.jsonl.gz", "rb") as file:
    packed = file.read()


class Precompressed(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-encoding", "gzip")
        self.send_header("content-length", str(len(packed)))
        self.end_headers()
        self.wfile.write(packed)


server = ThreadingHTTPServer(("127.0.0.1", 0), Precompressed)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/vocabulary.jsonl"


async def by_aiohttp():
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return len(await answer.read())


script = f"console.log((await (await fetch('{url}')).arrayBuffer()).byteLength)"
seen = {
    "gzip": len(gzip.decompress(packed)),
    "httpx": len(httpx.get(url).content),
    "httpx2": len(httpx2.get(url).content),
    "requests": len(requests.get(url).content),
    "aiohttp": asyncio.run(by_aiohttp()),
    "fetch": int(subprocess.check_output(["node", "--input-type=module", "-e", script])),
}
print(len(vocabulary), "bytes in", -(-len(vocabulary) // 1_000_000), "members; bytes given without an error:", seen)
first = {name for name, length in seen.items() if length == 1_000_000}
whole = {name for name, length in seen.items() if length == len(vocabulary)}
sys.exit(0 if first == {"httpx", "httpx2"} and first | whole == set(seen) else 1)
PY
venv/bin/python run.py
