"""The files generated from the contract are what the contract says now."""

import subprocess
import sys
from pathlib import Path

import msgspec

from mqtt_dashboard.contract import events

ROOT = Path(__file__).resolve().parents[2]


def test_generated_files_are_fresh() -> None:
    """openapi.json and types.ts agree with the Structs; else the script names the stale ones."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/gen_contract.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_openapi_refers_only_to_schemas_it_holds() -> None:
    """Every reference in the OpenAPI document leads to a schema with a plain name."""
    document = (ROOT / "docs/reference/openapi.json").read_text()
    schemas = msgspec.json.decode(document)["components"]["schemas"]
    refs = {part.split('"')[0] for part in document.split("#/components/schemas/")[1:]}
    assert refs
    assert refs <= set(schemas)
    assert all(name.isidentifier() for name in schemas)


def test_typescript_names_every_socket_event() -> None:
    """The event maps of the page hold each event of the contract."""
    text = (ROOT / "frontend/src/contract/types.ts").read_text()
    for name, kind in events.SERVER_EVENTS.items():
        assert f"  {name}: (payload: {kind.__name__}) => void;" in text
    for name, (request, reply) in events.CLIENT_EVENTS.items():
        assert f"  {name}: (request: {request.__name__}, ack: (reply: {reply.__name__})" in text
