#!/bin/sh
# What: the static files of aiohttp, Falcon, Bottle and WhiteNoise have an ETag and ranges, but `If-Range` with that ETag is not read: when the file has
#       changed, the answer is 206 with a part of the new one, and a client that asks as RFC 9110 says joins two files. aiohttp reads a date there, and
#       only a date. Werkzeug (of Flask) answers 200 with the whole new file. The 206 shows the new ETag, so a client has to
#       compare it although it asked the server to.
# Versions: aiohttp 3.14.5, falcon 4.4.0, bottle 0.13.4, whitenoise 6.12.0, werkzeug 3.1.9 of PyPI; Python 3.11.
# Exits 1 when one of them behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile \
  aiohttp==3.14.5 falcon==4.4.0 bottle==0.13.4 whitenoise==6.12.0 werkzeug==3.1.9
cat >run.py <<'PY'
import asyncio
import os
import socket
import sys
import threading
from urllib.request import Request, urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import bottle
import falcon
import werkzeug.utils
import werkzeug.wrappers
from aiohttp import web
from whitenoise import WhiteNoise

os.mkdir("files")
root = os.path.abspath("files")
HALF = 500_000


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def by_wsgi(app):
    server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def by_aiohttp():
    app = web.Application()
    app.router.add_static("/", root)
    at = socket.create_server(("127.0.0.1", 0))
    run = lambda: web.run_app(app, sock=at, print=None, handle_signals=False, loop=asyncio.new_event_loop())
    threading.Thread(target=run, daemon=True).start()
    return at.getsockname()[1]


def by_bottle():
    app = bottle.Bottle()
    app.route("/<name>", callback=lambda name: bottle.static_file(name, root=root))
    return by_wsgi(app)


def by_falcon():
    app = falcon.App()
    app.add_static_route("/", root)
    return by_wsgi(app)


@werkzeug.wrappers.Request.application
def sent(request):
    return werkzeug.utils.send_file(root + request.path, request.environ, conditional=True)


SERVERS = {
    "aiohttp": by_aiohttp,
    "falcon": by_falcon,
    "bottle": by_bottle,
    "whitenoise": lambda: by_wsgi(WhiteNoise(None, root=root, autorefresh=True)),
    "werkzeug": lambda: by_wsgi(sent),
}


def put(letter, at):
    """As a deploy does it: complete, then under its name."""
    with open("next", "wb") as file:
        file.write(letter * 2 * HALF)
    os.utime("next", (at, at))
    os.rename("next", "files/model.bin")


def seen(port):
    url = f"http://127.0.0.1:{port}/model.bin"
    put(b"a", 1_767_225_600)
    first = urlopen(Request(url, headers={"range": f"bytes=0-{HALF - 1}"}))
    half = first.read()
    put(b"b", 1_780_272_000)
    rest = urlopen(Request(url, headers={"range": f"bytes={HALF}-", "if-range": first.headers["etag"]}))
    body = rest.read()
    assert first.status == 206 and half == b"a" * HALF and body == b"b" * len(body)
    return rest.status, len(body), rest.headers["etag"] != first.headers["etag"]


answers = {name: seen(start()) for name, start in SERVERS.items()}
for name, (status, length, is_new) in answers.items():
    print(f"{name:10} If-Range of the old file: {status} with {length} bytes of the new one, {'a new' if is_new else 'the same'} ETag")
joined = {name for name, answer in answers.items() if answer == (206, HALF, True)}
whole = {name for name, answer in answers.items() if answer == (200, 2 * HALF, True)}
sys.exit(0 if joined == {"aiohttp", "falcon", "bottle", "whitenoise"} and whole == {"werkzeug"} else 1)
PY
venv/bin/python run.py
