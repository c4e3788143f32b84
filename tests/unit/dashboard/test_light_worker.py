"""What a worker does not load unless it needs it."""

import subprocess
import sys


def test_cryptography_is_loaded_only_for_a_provider() -> None:
    """Without OpenID Connect a worker holds neither PyJWT nor its cryptography (10 MB)."""
    heavy = {"jwt", "cryptography.hazmat"}
    code = f"import sys, mqtt_dashboard.dashboard.app; print({heavy!r} & {{*sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "set()"
