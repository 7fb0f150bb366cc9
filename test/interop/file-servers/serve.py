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
    "rangehttpserver": ["RangeHTTPServer"], "wsgidav": ["wsgidav", "cheroot"], "whitenoise": ["whitenoise", "waitress"],
    "cheroot": ["cheroot", "webob"], "hypercorn": ["hypercorn", "starlette"], "staticfiles": ["starlette", "uvicorn"], "sanic": ["sanic"],
    "pyramid": ["pyramid"], "litestar": ["litestar", "uvicorn"], "quart": ["quart", "hypercorn"], "falcon": ["falcon"], "webob": ["webob"],
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


def of_handler(handler):
    from http.server import ThreadingHTTPServer

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    say(server.server_port)
    server.serve_forever()


def rangehttpserver(root):
    from RangeHTTPServer import RangeRequestHandler

    os.chdir(root)
    of_handler(RangeRequestHandler)


def uvicorn_app(app):
    import uvicorn

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    say(sock.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[sock])


def wsgidav(root):
    from cheroot import wsgi as cheroot_wsgi
    from wsgidav.wsgidav_app import WsgiDAVApp

    port = free_port()
    app = WsgiDAVApp({"provider_mapping": {"/": root}, "simple_dc": {"user_mapping": {"*": True}}, "logging": {"enable": False}, "verbose": 0})
    server = cheroot_wsgi.Server(("127.0.0.1", port), app)
    server.prepare()
    say(port)
    server.serve()


def whitenoise_app(root):
    from whitenoise import WhiteNoise

    return WhiteNoise(lambda environ, start: [start("404 Not Found", []), b""][1:], root=root, autorefresh=True)


def whitenoise(root):
    from waitress.server import create_server

    server = create_server(whitenoise_app(root), host="127.0.0.1", port=0)
    say(server.effective_port)
    server.run()


def webob_app(root):
    from webob.static import DirectoryApp

    return DirectoryApp(root)


def cheroot(root):
    from cheroot import wsgi as cheroot_wsgi

    port = free_port()
    server = cheroot_wsgi.Server(("127.0.0.1", port), webob_app(root))
    server.prepare()
    say(port)
    server.serve()


def webob(root):
    wsgi(webob_app(root))


def static_files(root):
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    return Starlette(routes=[Mount("/", StaticFiles(directory=root))])


def staticfiles(root):
    uvicorn_app(static_files(root))


def hypercorn(root):
    import asyncio
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    port = free_port()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    say_later(port)
    asyncio.run(serve(static_files(root), config))


def say_later(port):
    import threading
    import time

    def wait():
        while True:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    return say(port)
            time.sleep(0.05)

    threading.Thread(target=wait, daemon=True).start()


def sanic(root):
    from sanic import Sanic

    app = Sanic("files", configure_logging=False)
    app.static("/", root, use_modified_since=True, use_content_range=True)
    port = free_port()
    say_later(port)
    app.run(host="127.0.0.1", port=port, single_process=True, access_log=False, motd=False)


def pyramid(root):
    from pyramid.config import Configurator

    with Configurator() as config:
        config.add_static_view("/", root)
        wsgi(config.make_wsgi_app())


def litestar(root):
    from litestar import Litestar
    from litestar.static_files import create_static_files_router

    uvicorn_app(Litestar(route_handlers=[create_static_files_router(path="/", directories=[root])]))


def quart(root):
    import asyncio
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from quart import Quart, send_from_directory

    app = Quart("files")

    @app.route("/<path:name>")
    async def file(name):
        return await send_from_directory(root, name)

    port = free_port()
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    say_later(port)
    asyncio.run(serve(app, config))


def falcon(root):
    import falcon as library

    app = library.App()
    app.add_static_route("/", root)
    wsgi(app)


if sys.argv[1] == "--list":
    print(json.dumps([name for name, needs in NEEDS.items() if all(importlib.util.find_spec(one) for one in needs)]))
else:
    globals()[sys.argv[1].replace(".", "_").replace("-", "_")](sys.argv[2])
