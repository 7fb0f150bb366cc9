"""Serves a folder with one of Python's servers: `python3 serve.py NAME FOLDER`. Prints its address as one line of JSON.

With `--list` it prints the names of those that this Python has.
"""
import importlib.util
import json
import os
import socket
import sys

NEEDS = {
    "http.server": [], "flask": ["flask"], "werkzeug": ["werkzeug"], "django": ["django"], "django-static": ["django"],
    "bottle": ["bottle"], "aiohttp": ["aiohttp"], "tornado": ["tornado"], "twisted": ["twisted"],
    "starlette": ["starlette", "uvicorn"], "cherrypy": ["cherrypy"],
}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def say(port):
    print(json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)


def wsgi(app):
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer, make_server

    class Threads(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = make_server("127.0.0.1", 0, app, server_class=Threads)
    say(server.server_port)
    server.serve_forever()


def http_server(root):
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=root))
    say(server.server_port)
    server.serve_forever()


def flask(root):
    from flask import Flask, send_file

    app = Flask("files")
    app.add_url_rule("/<name>", "file", lambda name: send_file(os.path.join(root, name)))
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    say(server.port)
    server.serve_forever()


def werkzeug(root):
    from werkzeug.middleware.shared_data import SharedDataMiddleware
    from werkzeug.serving import make_server
    from werkzeug.wrappers import Response

    server = make_server("127.0.0.1", 0, SharedDataMiddleware(Response("", 404), {"/": root}), threaded=True)
    say(server.port)
    server.serve_forever()


def django_app(view):
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.urls import re_path

    urls = type(sys)("urls")
    urls.urlpatterns = [re_path(r"^(?P<name>.*)$", view)]
    sys.modules["urls"] = urls
    settings.configure(DEBUG=False, ALLOWED_HOSTS=["*"], ROOT_URLCONF="urls", SECRET_KEY="of this test")
    return get_wsgi_application()


def django(root):
    from django.http import FileResponse

    wsgi(django_app(lambda request, name: FileResponse(open(os.path.join(root, name), "rb"))))


def django_static(root):
    from django.views.static import serve

    wsgi(django_app(lambda request, name: serve(request, name, document_root=root)))


def bottle(root):
    import bottle as library

    app = library.Bottle()
    app.route("/<name>")(lambda name: library.static_file(name, root=root))
    wsgi(app)


def aiohttp(root):
    from aiohttp import web

    app = web.Application()
    app.router.add_static("/", root)
    port = free_port()
    web.run_app(app, host="127.0.0.1", port=port, print=lambda *_: say(port))


def tornado(root):
    import asyncio
    from tornado.web import Application, StaticFileHandler

    async def run():
        port = free_port()
        Application([(r"/(.*)", StaticFileHandler, {"path": root})]).listen(port, "127.0.0.1")
        say(port)
        await asyncio.Event().wait()

    asyncio.run(run())


def twisted(root):
    from twisted.internet import reactor
    from twisted.web.server import Site
    from twisted.web.static import File

    port = reactor.listenTCP(0, Site(File(root)), interface="127.0.0.1")
    say(port.getHost().port)
    reactor.run()


def starlette(root):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import FileResponse
    from starlette.routing import Route

    async def file(request):
        return FileResponse(os.path.join(root, request.path_params["name"]))

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    say(sock.getsockname()[1])
    config = uvicorn.Config(Starlette(routes=[Route("/{name}", file)]), log_level="error")
    uvicorn.Server(config).run(sockets=[sock])


def cherrypy(root):
    import cherrypy as library

    port = free_port()
    library.config.update({"server.socket_host": "127.0.0.1", "server.socket_port": port, "log.screen": False})
    library.tree.mount(None, "/", {"/": {"tools.staticdir.on": True, "tools.staticdir.dir": root}})
    library.engine.start()
    say(port)
    library.engine.block()


if sys.argv[1] == "--list":
    print(json.dumps([name for name, needs in NEEDS.items() if all(importlib.util.find_spec(one) for one in needs)]))
else:
    globals()[sys.argv[1].replace(".", "_").replace("-", "_")](sys.argv[2])
