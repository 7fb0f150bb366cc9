#!/bin/sh
# What: two well-used static servers read valid ranges otherwise. sirv (of `vite preview` and SvelteKit) takes a last byte of 0 for "no end" and the missing
#       start of `bytes=-8` for 0: `bytes=0-0`, with which many clients ask for the size, gives the whole file, and "the last eight bytes" gives the
#       first nine. RemoteZip, which reads the end first, says then of a valid zip that it is none. WhiteNoise (of Django) refuses each range of one
#       byte with 416, although it gives two: `curl -C -` ends with code 0 on a file that lacks its last byte, as if it were complete.
# Versions: sirv 3.0.2 of npm; whitenoise 6.12.0, remotezip 0.12.6, requests 2.34.2 of PyPI; Node (20 or later), curl and Python (3.11) of the machine.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
servers=
trap '[ -z "$servers" ] || kill $servers; rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile whitenoise==6.12.0 remotezip==0.12.6 requests==2.34.2
echo '{"private":true,"type":"module"}' >package.json
npm install --no-audit --no-fund --silent --ignore-scripts sirv@3.0.2
mkdir www
python3 - <<'PY'
import zipfile

with zipfile.ZipFile("www/model.zip", "w") as archive:
    archive.writestr("weights.bin", bytes(200_000))
    archive.writestr("config.json", "{}")
PY
cat >sirv.mjs <<'JS'
import { createServer } from 'node:http';
import sirv from 'sirv';

const server = createServer(sirv('www')).listen(0, '127.0.0.1', () => console.log(server.address().port));
JS
cat >serve.py <<'PY'
from wsgiref.simple_server import WSGIRequestHandler, make_server
from whitenoise import WhiteNoise


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


server = make_server("127.0.0.1", 0, WhiteNoise(None, root="www"), handler_class=Quiet)
print(server.server_port, flush=True)
server.serve_forever()
PY
node sirv.mjs >sirv.port &
servers=$!
venv/bin/python serve.py >whitenoise.port &
servers="$servers $!"
cat >zip.py <<'PY'
import sys
import zipfile
from remotezip import RemoteZip

try:
    with RemoteZip(sys.argv[1]) as archive:
        print(archive.read("config.json").decode())
except zipfile.BadZipFile as error:
    print(error)
PY

size=$(wc -c <www/model.zip)
ask() { curl -sS -r "$1" -o body -w '%{http_code}' "$url"; echo " with $(wc -c <body) bytes"; }
for name in sirv whitenoise; do
  until grep -q . "$name.port"; do sleep 0.1; done
  url=http://127.0.0.1:$(cat "$name.port")/model.zip
  one=$(ask 0-0)
  two=$(ask 0-1)
  last=$(ask -8)
  where=other
  if head -c 9 www/model.zip | cmp -s - body; then where='the first nine'; fi
  if tail -c 8 www/model.zip | cmp -s - body; then where='the last eight'; fi
  zip=$(venv/bin/python zip.py "$url")
  head -c $((size - 1)) www/model.zip >partial
  code=0
  curl -sS -C - -o partial "$url" || code=$?
  echo "$name: 0-0: $one; 0-1: $two; -8: $last, $where; RemoteZip: $zip; curl -C -: code $code, lacks $((size - $(wc -c <partial)))" | tee "$name.seen"
done
grep -qFx "sirv: 0-0: 206 with $size bytes; 0-1: 206 with 2 bytes; -8: 206 with 9 bytes, the first nine; \
RemoteZip: File is not a zip file; curl -C -: code 0, lacks 0" sirv.seen
grep -qFx "whitenoise: 0-0: 416 with 0 bytes; 0-1: 206 with 2 bytes; -8: 206 with 8 bytes, the last eight; \
RemoteZip: {}; curl -C -: code 0, lacks 1" whitenoise.seen
