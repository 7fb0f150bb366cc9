#!/bin/sh
# Puts file servers that npm does not have into a folder of their own (default: .cache/file-servers), without root: Python packages in a
# virtual environment, Debian packages unpacked. With its bin/ first on the PATH, test/interop/file-servers.int.test.ts tries them too:
#
#     test/interop/file-servers/get.sh
#     PATH="$PWD/.cache/file-servers/bin:$PATH" npm test -- test/interop/file-servers.int.test.ts
set -eu
folder=$(mkdir -p "${1:-.cache/file-servers}" && cd "${1:-.cache/file-servers}" && pwd)
python3 -m venv "$folder"
"$folder/bin/pip" --quiet install flask==3.1.2 django==5.2.8 aiohttp==3.13.2 tornado==6.5.2 twisted==25.5.0 starlette==0.50.0 \
  uvicorn==0.38.0 cherrypy==18.10.0 bottle==0.13.4
command -v apt-get >/dev/null || exit 0
mkdir -p "$folder/debian" && cd "$folder/debian"
apt-get download busybox lighttpd php8.2-cli libsodium23 libargon2-1
for package in *.deb; do dpkg -x "$package" .; done
for program in bin/busybox usr/sbin/lighttpd usr/bin/php8.2; do
  test ! -x "$program" || ln -sf "$folder/debian/$program" "$folder/bin/$(basename "$program" 8.2)"
done
