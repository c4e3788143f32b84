"""What a worker does not load unless it needs it."""

import subprocess
import sys

HEAVY = {"jwt", "cryptography.hazmat", "requests.sessions", "valkey.client"}
CODE = f"""
import sys
from mqtt_dashboard.dashboard import gunicorn_conf
gunicorn_conf.post_fork(None, None)
import mqtt_dashboard.dashboard.app
print({HEAVY!r} & {{*sys.modules}})
"""


def test_cryptography_and_clients_are_not_loaded_for_nothing() -> None:
    """Without OpenID Connect a worker holds neither PyJWT's cryptography nor HTTP clients."""
    loaded = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "set()"
