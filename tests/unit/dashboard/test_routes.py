"""The routes are those of the contract's table; the page is served safely from its folder."""

from pathlib import Path

import flask
import pytest

from mqtt_dashboard import config
from mqtt_dashboard.bus.dashboard_store import DashboardStore
from mqtt_dashboard.clock import ManualClock
from mqtt_dashboard.config import DashboardSettings, RedisSettings
from mqtt_dashboard.config_auth import AuthSettings
from mqtt_dashboard.config_page import PageSettings
from mqtt_dashboard.contract.export import ROUTES
from mqtt_dashboard.dashboard import responses
from mqtt_dashboard.dashboard.app import create_app
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.routes import spa
from mqtt_dashboard.dashboard.security import headers


def test_every_route_is_in_the_contract_and_the_other_way_round() -> None:
    """The OpenAPI document lists exactly what is served, the page apart."""
    app = create_app(
        config.load(DashboardSettings, {}),
        config.load(PageSettings, {}),
        config.load(AuthSettings, {}),
        DashboardStore(config.load(RedisSettings, {})),
        ManualClock(),
    )
    served = {
        (method.lower(), rule.rule.replace("<", "{").replace(">", "}"))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("spa.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert served == {(route.method, route.path) for route in ROUTES}


@pytest.fixture
def static(tmp_path: Path) -> Path:
    """Return a folder with a built page, and a secret beside it."""
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<p>page</p>")
    (folder / "assets" / "app-1a2b.js").write_text("js")
    (folder / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret").write_text("secret")
    return folder


def _client(static: Path) -> flask.testing.FlaskClient:
    app = flask.Flask(__name__, static_folder=None)
    app.register_blueprint(spa.blueprint(static))
    responses.install(app, Counters(), headers())
    return app.test_client()


@pytest.mark.parametrize(
    ("path", "status", "body", "cache"),
    [
        ("/", 200, b"<p>page</p>", "no-cache"),
        ("/topics", 200, b"<p>page</p>", "no-cache"),
        ("/topics/deep/link", 200, b"<p>page</p>", "no-cache"),
        ("/favicon.svg", 200, b"<svg/>", "no-cache"),
        ("/assets/app-1a2b.js", 200, b"js", "public, max-age=31536000, immutable"),
        ("/assets/app-old.js", 404, None, "no-store"),
        ("/assets/none", 404, None, "no-store"),
        ("/missing.js", 404, None, "no-store"),
        ("/api/x", 404, None, "no-store"),
        ("/../secret", 404, None, "no-store"),
        ("/assets/../../secret", 404, None, "no-store"),
        ("/assets/..", 404, None, "no-store"),
    ],
)
def test_pages_assets_and_what_is_missing(
    static: Path, path: str, status: int, body: bytes | None, cache: str
) -> None:
    """P71, P72: pages fall back to the entry, files do not, nothing outside is reached."""
    with _client(static).get(path) as answer:
        assert answer.status_code == status
        assert answer.headers["Cache-Control"] == cache
        if body is not None:
            assert answer.data == body
        else:
            assert answer.is_json


@pytest.fixture
def packed(static: Path) -> Path:
    """Return the same folder as the build leaves it: with compressed siblings."""
    for name in ("index.html", "assets/app-1a2b.js"):
        file = static / name
        for ending in (".gz", ".br"):
            file.with_name(file.name + ending).write_text(f"{ending} of {file.name}")
    return static


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b".br of app-1a2b.js"),
        ("gzip", "gzip", b".gz of app-1a2b.js"),
        ("gzip;q=1.0, br;q=0.5", "gzip", b".gz of app-1a2b.js"),
        ("br;q=0, *", "gzip", b".gz of app-1a2b.js"),
        ("gzip;q=0", None, b"js"),
        ("zstd", None, b"js"),
        ("identity;q=1, gzip;q=0.5", None, b"js"),
        ("", None, b"js"),
    ],
)
def test_assets_go_compressed_to_who_takes_them(
    packed: Path, accepted: str, coding: str | None, body: bytes
) -> None:
    """P71: of the forms the build made the one asked for is sent, with its own length and mark."""
    with _client(packed).get(
        "/assets/app-1a2b.js", headers={"Accept-Encoding": accepted}
    ) as answer:
        assert answer.data == body
        assert answer.headers.get("Content-Encoding") == coding
        assert answer.headers["Content-Length"] == str(len(body))
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert str(answer.mimetype).endswith("/javascript")
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_compressed_files_keep_the_rules_of_http(packed: Path) -> None:
    """HEAD tells the same without a body; a form already there is not sent again, another is."""
    client = _client(packed)
    gzip, plain = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}
    with client.get("/topics", headers=gzip) as whole, client.head("/topics", headers=gzip) as head:
        assert whole.data == b".gz of index.html"
        assert whole.mimetype == "text/html"
        assert head.data == b""
        for name in ("Content-Length", "Content-Encoding", "Content-Type", "ETag", "Vary"):
            assert head.headers[name] == whole.headers[name]
        etag = whole.headers["ETag"]
    with client.get("/topics", headers={**gzip, "If-None-Match": etag}) as again:
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["Vary"] == "Accept-Encoding"
    with client.get("/topics", headers={**plain, "If-None-Match": etag}) as other:
        assert (other.status_code, other.data) == (200, b"<p>page</p>")
        assert "Content-Encoding" not in other.headers


@pytest.mark.parametrize(
    "path",
    ["/index.html.gz", "/assets/app-1a2b.js.gz", "/assets/app-1a2b.js.br", "/../secret.gz"],
)
def test_compressed_files_have_no_address_of_their_own(packed: Path, path: str) -> None:
    """P71: what is asked for is the file; its compressed forms are no files to ask for."""
    (packed.parent / "secret.gz").write_text("secret")
    with _client(packed).get(path, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status_code == 404


def test_answers_of_the_api_are_never_compressed(packed: Path) -> None:
    """What is a secret of one user must not share a compressed body with what another chose."""
    with _client(packed).get("/api/x", headers={"Accept-Encoding": "gzip, br"}) as answer:
        assert "Content-Encoding" not in answer.headers


def test_a_missing_page_says_how_to_build_it(tmp_path: Path) -> None:
    """Without a built page the answer names the command."""
    answer = _client(tmp_path / "none").get("/")
    assert answer.status_code == 503
    assert b"make ui" in answer.data
