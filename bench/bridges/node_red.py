"""A Node-RED user folder with one flow: mqtt in, a function, redis out."""

import json
from pathlib import Path
from typing import Any, Final

_FUNCTION: Final = """
const document = {
  type: "message_received", topic: msg.topic, payload: msg.payload, timestamp: Date.now() / 1000,
};
return { topic: "mqtt:messages", payload: JSON.stringify(document) };
"""
_SETTINGS: Final = """module.exports = {
  flowFile: "flows.json", httpAdminRoot: false, httpNodeRoot: false, credentialSecret: false,
  uiHost: "127.0.0.1", uiPort: 0, telemetry: { enabled: false },
  logging: { console: { level: "warn" } },
};
"""


def write_home(folder: Path, broker: int, store: int, qos: int) -> Path:
    """Write settings and flow below ``folder``; return the user folder."""
    home = folder / "node-red"
    home.mkdir()
    (home / "settings.js").write_text(_SETTINGS)
    (home / "flows.json").write_text(json.dumps(_flow(broker, store, qos)))
    return home


def _flow(broker: int, store: int, qos: int) -> list[dict[str, Any]]:
    redis = {"host": "127.0.0.1", "port": store, "enableAutoPipelining": True}
    return [
        {"id": "tab", "type": "tab", "label": "bridge"},
        {
            "id": "broker",
            "type": "mqtt-broker",
            "broker": "127.0.0.1",
            "port": str(broker),
            "clientid": "node-red",
            "protocolVersion": "5",
            "keepalive": "60",
            "cleansession": True,
            "autoConnect": True,
        },
        {
            "id": "store",
            "type": "redis-config",
            "name": "the Redis",
            "options": json.dumps(redis),
            "optionsType": "json",
        },
        {
            "id": "in",
            "type": "mqtt in",
            "z": "tab",
            "topic": "#",
            "qos": str(qos),
            "datatype": "utf8",
            "broker": "broker",
            "inputs": 0,
            "wires": [["document"]],
        },
        {
            "id": "document",
            "type": "function",
            "z": "tab",
            "func": _FUNCTION,
            "outputs": 1,
            "wires": [["out"]],
        },
        {
            "id": "out",
            "type": "redis-out",
            "z": "tab",
            "server": "store",
            "command": "publish",
            "topic": "mqtt:messages",
            "obj": False,
        },
    ]
