#!/bin/sh
# What: a file that fsspec opens over HTTP gives wrong bytes without an error behind nginx with `gzip_static`. fsspec asks for a range and accepts gzip;
#       nginx ignores the range then and sends the whole file compressed, with 200. Because that Content-Length is smaller than the range, fsspec takes the
#       body for the range, and aiohttp has unpacked it: `seek(500_000)` reads the first line of the file. The same server without `gzip_static`
#       gives the right line. `cat_file(url, 0, 10)` has no such check at all, and gives the whole file for ten bytes.
# Versions: fsspec 2026.9.0, aiohttp 3.14.5 of PyPI; nginx 1.22.1 of Debian 12 (tried), or any that is there; Python 3.11.
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'kill "$(cat "$folder/pid" 2>/dev/null)" 2>/dev/null || true; rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet fsspec==2026.9.0 aiohttp==3.14.5
nginx=$(command -v nginx || true)
if [ -z "$nginx" ]; then
  apt-get download nginx >/dev/null
  dpkg -x nginx_*.deb nginx
  nginx=$folder/nginx/usr/sbin/nginx
fi
mkdir files temporary
cat >nginx.conf <<CONF
pid $folder/pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path temporary; proxy_temp_path temporary; fastcgi_temp_path temporary; uwsgi_temp_path temporary; scgi_temp_path temporary;
  server { listen 127.0.0.1:18399; root $folder/files; gzip_static on; }
  server { listen 127.0.0.1:18398; root $folder/files; }
}
CONF
cat >run.py <<'PY'
import gzip, sys
import fsspec

lines = [b'{"line": %06d}\n' % number for number in range(60_000)]
with open("files/rows.json", "wb") as plain, gzip.open("files/rows.json.gz", "wb") as packed:
    plain.writelines(lines)
    packed.writelines(lines)
seen = []
for port in (18398, 18399):
    http = fsspec.filesystem("http", skip_instance_cache=True)
    url = f"http://127.0.0.1:{port}/rows.json"
    with http.open(url, block_size=2**20) as file:
        file.seek(17 * 30_000)
        line = file.read(17)
    seen.append((line.decode().strip(), len(http.cat_file(url, 0, 10))))
print("without gzip_static", seen[0], "with it", seen[1])
sys.exit(0 if seen == [('{"line": 030000}', 10), ('{"line": 000000}', 1_020_000)] else 1)
PY
"$nginx" -v
"$nginx" -p "$folder" -c "$folder/nginx.conf"
venv/bin/python run.py
