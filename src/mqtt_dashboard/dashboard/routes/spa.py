"""The page: its entry, its assets, and a plain word when it is not built.

A path is joined safely before anything is asked of the file system, so that no answer tells
whether a file outside exists. Files go out compressed where the build left a compressed form beside
them; nothing is compressed here, and answers of the API never are.
"""

import mimetypes
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import flask
from werkzeug.security import safe_join

from mqtt_dashboard.dashboard.responses import refuse

STATIC: Final = Path(__file__).resolve().parent.parent / "static"
ASSETS: Final = "assets/"
FOREVER: Final = "public, max-age=31536000, immutable"
# Coding by the ending of its files, the smaller one first: it wins where both are as welcome.
CODINGS: Final = {"br": ".br", "gzip": ".gz"}
NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>MQTT Dashboard</title><h1>The user interface is not built</h1>
<p>The service runs, its page is missing. Run <code>make ui</code> in the project folder and
reload. The HTTP interface works: see <a href="openapi.json">openapi.json</a>.</p></html>
"""


def blueprint(static: Path = STATIC) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("spa", __name__)

    @routes.get("/")
    @routes.get("/<path:path>")
    def page(path: str = "") -> flask.Response:
        if path == "api" or path.startswith(("api/", "socket.io/")):
            return refuse(404, "not_found", "there is no such route; see /openapi.json")
        joined = safe_join(str(static), path) if path else str(static / "index.html")
        if joined is None:
            return _missing()
        file = Path(joined)
        if file.is_file() and file.suffix not in CODINGS.values():
            return _file(file, path)
        if path.startswith(ASSETS) or "." in path.rpartition("/")[2]:
            return _missing()
        return _entry(static)

    return routes


def _entry(static: Path) -> flask.Response:
    index = static / "index.html"
    if index.is_file():
        return _file(index, "index.html")
    return flask.Response(NOT_BUILT, 503, mimetype="text/html")


def _file(file: Path, path: str) -> flask.Response:
    forms = {
        coding: form
        for coding, ending in CODINGS.items()
        if (form := file.with_name(file.name + ending)).is_file()
    }
    coding = _best(forms)
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    sent = forms[coding] if coding else file
    response = flask.send_file(sent, mimetype=kind, conditional=True, etag=True)
    if coding:
        response.headers["Content-Encoding"] = coding
    else:
        response.headers.pop("Content-Encoding", None)
    if forms:
        response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = FOREVER if path.startswith(ASSETS) else "no-cache"
    return response


def _best(forms: Iterable[str]) -> str | None:
    """Return the coding the client likes best of those there are; None for the plain file."""
    accepted = flask.request.accept_encodings
    plain = accepted["identity"] if "identity" in accepted.values() else 0.0
    liked = max(forms, key=lambda coding: accepted[coding], default=None)
    return liked if liked is not None and accepted[liked] > plain else None


def _missing() -> flask.Response:
    return refuse(404, "not_found", "there is no such page")
