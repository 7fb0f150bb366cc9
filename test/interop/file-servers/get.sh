#!/bin/sh
# Puts file servers that npm does not have into a folder of their own (default: .cache/file-servers), without root: Python packages in a
# virtual environment, Debian packages unpacked. With its bin/ first on the PATH, test/interop/file-servers.int.test.ts tries them too:
#
#     test/interop/file-servers/get.sh
#     PATH="$PWD/.cache/file-servers/bin:$PATH" HAULIER_TEST_SERVERS=all npm test -- test/interop/file-servers.int.test.ts
set -eu
folder=$(mkdir -p "${1:-.cache/file-servers}" && cd "${1:-.cache/file-servers}" && pwd)
python3 -m venv "$folder"
"$folder/bin/pip" --quiet install flask==3.1.2 django==5.2.8 aiohttp==3.13.2 tornado==6.5.2 twisted==25.5.0 starlette==0.50.0 \
  uvicorn==0.38.0 cherrypy==18.10.0 bottle==0.13.4 rangehttpserver==1.4.0 wsgidav==4.4.0 whitenoise==6.12.0 waitress==3.0.2 \
  cheroot==11.1.2 hypercorn==0.18.0 sanic==25.12.1 pyramid==2.1 litestar==2.25.0 quart==0.20.0 falcon==4.4.0 webob==1.8.11
command -v apt-get >/dev/null || exit 0
mkdir -p "$folder/debian" && cd "$folder/debian"
apt-get download busybox lighttpd php8.2-cli libsodium23 libargon2-1 webfs mini-httpd caddy rclone \
  apache2-bin libapr1 libaprutil1 civetweb libcivetweb1 h2o
for package in *.deb; do dpkg -x "$package" .; done
for program in bin/busybox usr/sbin/lighttpd usr/bin/php8.2 usr/bin/webfsd usr/sbin/mini_httpd usr/bin/caddy usr/bin/rclone; do
  test ! -x "$program" || ln -sf "$folder/debian/$program" "$folder/bin/$(basename "$program" 8.2)"
done
# These need libraries of their own, and apache2 is told where its modules are.
for program in usr/sbin/apache2 usr/bin/civetweb usr/bin/h2o; do
  test -x "$program" || continue
  modules=""
  test "$program" != usr/sbin/apache2 || modules="-C 'Define MODULES $folder/debian/usr/lib/apache2/modules'"
  printf '#!/bin/sh\nexport LD_LIBRARY_PATH=%s\nexec %s %s "$@"\n' \
    "$(echo "$folder"/debian/usr/lib/*-linux-gnu)" "$folder/debian/$program" "$modules" >"$folder/bin/$(basename "$program")"
  chmod +x "$folder/bin/$(basename "$program")"
done
