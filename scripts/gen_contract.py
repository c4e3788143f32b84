"""Write the files generated from the contract; with --check only say which are stale."""

import argparse
import sys
from pathlib import Path

from mqtt_dashboard import __version__
from mqtt_dashboard.contract import export, typescript

ROOT = Path(__file__).resolve().parent.parent


def generated() -> dict[Path, bytes]:
    """Return each generated file with the content it must have."""
    return {
        ROOT / "docs/reference/openapi.json": export.render_openapi(__version__),
        ROOT / "frontend/src/contract/types.ts": typescript.render().encode(),
    }


def main() -> int:
    """Write or check; return 1 when a checked file is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    check = parser.parse_args().check
    stale = [
        path
        for path, content in generated().items()
        if not path.exists() or path.read_bytes() != content
    ]
    for path in stale:
        name = path.relative_to(ROOT)
        if check:
            print(f"stale: {name} (run `python scripts/gen_contract.py`)", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(generated()[path])
            print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
