"""What must hold for the files of the repository themselves, checked on every change."""

import importlib.util
import re
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from mqtt_dashboard import config

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
LAST_PITFALL = 89
GENERATED = ("frontend/src/contract/", "docs/reference/openapi.json")
LOCKS = ("requirements.lock", "requirements-dev.lock")


def _tracked() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def _text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8", errors="replace")


def _compose() -> dict[str, Any]:
    document = yaml.safe_load(_text_of("docker-compose.yml"))
    assert isinstance(document, dict)
    return document


def _services() -> dict[str, dict[str, Any]]:
    services = _compose()["services"]
    assert isinstance(services, dict)
    return services


@pytest.mark.parametrize("name", LOCKS)
def test_python_locks_pin_with_hashes_and_hold_no_address(name: str) -> None:
    """Each package has one exact version and hashes; no download address is written down (P79)."""
    text = _text_of(name)
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 20
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_front_end_lock_holds_no_address() -> None:
    """The lock of npm names versions and integrity, never where they came from."""
    text = _text_of("frontend/package-lock.json")
    assert '"resolved"' not in text
    assert '"integrity"' in text


def test_env_example_lists_exactly_the_settings() -> None:
    """Every variable of the settings classes and every secret's file, and nothing else (P78)."""
    listed = re.findall(r"^# ([A-Z][A-Z0-9_]*)=", _text_of(".env.example"), re.MULTILINE)
    fields = chain.from_iterable(kind.model_fields.values() for kind in config.SETTINGS_CLASSES)
    names = {str(field.alias) for field in fields}
    assert set(config.SECRETS) <= names
    assert sorted(listed) == sorted(names | {f"{name}_FILE" for name in config.SECRETS})


def test_no_module_has_grown_beyond_one_concern() -> None:
    """No source file is longer than 400 lines."""
    sources = [
        name
        for name in _tracked()
        if name.endswith((".py", ".ts", ".vue", ".sh")) and not name.startswith(GENERATED)
    ]
    lengths = {name: _text_of(name).count("\n") for name in sources}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_secrets_stay_out_of_the_tree() -> None:
    """.env is ignored, no private key or filled-in password is tracked (P88)."""
    ignored = subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=ROOT, check=False)
    assert ignored.returncode == 0
    begin = "-----BEGIN "
    suspicious = re.compile(
        rf"{begin}[A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{{16}}\b|\bgh[pousr]_[A-Za-z0-9]{{36}}\b"
    )
    for name in _tracked():
        assert Path(name).name != ".env", name
        assert not suspicious.search(_text_of(name)), name
    filled = re.findall(r"^[^#\n].*(?:PASSWORD|URL)=\S+", _text_of(".env.example"), re.MULTILINE)
    assert filled == []


def test_no_address_of_a_package_registry_is_committed() -> None:
    """Which registry or mirror is used is the machine's business."""
    # Written in parts, so that this file does not find itself.
    option = re.compile(
        r"--(?:extra-)?index" + r"-url[ =]|\bregistry" + r"\s*=\s*http|find" + "-links"
    )
    found = [name for name in _tracked() if option.search(_text_of(name))]
    assert found == []


def test_compose_has_the_four_services_of_the_contract() -> None:
    """The names others rely on."""
    assert set(_services()) == {"mosquitto", "redis", "mqtt-bridge", "mqtt-dashboard"}


def test_redis_is_out_of_reach_and_locked() -> None:
    """Redis publishes no port and starts behind a password (P75)."""
    redis = _services()["redis"]
    assert "ports" not in redis
    assert "requirepass" in _text_of("deploy/docker/redis-start.sh")
    assert "protected-mode yes" in _text_of("deploy/docker/redis.conf")


def test_redis_never_evicts_and_says_what_is_kept() -> None:
    """A limit with noeviction, and an append-only file for what must be durable (P76, P77)."""
    lines = _text_of("deploy/docker/redis.conf").splitlines()
    assert "maxmemory-policy noeviction" in lines
    assert any(line.startswith("maxmemory ") for line in lines)
    assert "appendonly yes" in lines


def test_everything_published_stays_on_loopback() -> None:
    """Without sign-in no port may be open to the network (P58)."""
    published = [port for service in _services().values() for port in service.get("ports", [])]
    assert sorted(published) == ["127.0.0.1:1883:1883", "127.0.0.1:8082:8082"]


def test_every_image_is_pinned() -> None:
    """No floating tag, neither in compose nor in the Dockerfile (P79)."""
    images = [service["image"] for service in _services().values()]
    images += re.findall(r"^FROM (\S+)", _text_of("deploy/docker/Dockerfile"), re.MULTILINE)
    assert len(images) >= 7
    for image in images:
        assert re.search(r":\d+\.\d+\.\d+", image), image


def test_containers_have_no_more_rights_than_they_need() -> None:
    """Read-only root, no capabilities, no new privileges, an ordinary user (P79)."""
    for name, service in _services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    dockerfile = _text_of("deploy/docker/Dockerfile")
    users = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)
    assert users == ["10001:10001"]
    assert "--chown" not in dockerfile, "the service must not own its code"
    assert "--require-hashes" in dockerfile


def test_health_checks_ask_the_thing_itself() -> None:
    """The bridge's and the dashboard's checks ask them for readiness, not a port for life (P74)."""
    services = _services()
    assert ":8083/readyz" in str(services["mqtt-bridge"]["healthcheck"]["test"])
    assert ":8082/readyz" in str(services["mqtt-dashboard"]["healthcheck"]["test"])
    assert "redis-cli ping" in str(services["redis"]["healthcheck"]["test"])
    assert "mosquitto_sub" in str(services["mosquitto"]["healthcheck"]["test"])
    for name, service in services.items():
        for condition in service.get("depends_on", {}).values():
            assert condition == {"condition": "service_healthy"}, name


def test_the_dockerfile_needs_no_special_builder_and_holds_no_code() -> None:
    """No BuildKit mounts, no heredoc: the WSGI entry is an ordinary module (P80)."""
    dockerfile = _text_of("deploy/docker/Dockerfile")
    assert "--mount" not in dockerfile
    assert "<<" not in dockerfile
    assert importlib.util.find_spec("mqtt_dashboard.dashboard.wsgi") is not None


def test_pitfalls_named_in_tests_exist_and_are_many() -> None:
    """A test that claims to cover a pitfall names one that is on the list."""
    claimed: dict[int, str] = {}
    for name in _tracked():
        if name.startswith("tests/") or ".spec." in name:
            claimed |= {int(number): name for number in re.findall(r"\bP(\d\d)\b", _text_of(name))}
    assert {
        number: name for number, name in claimed.items() if not 1 <= number <= LAST_PITFALL
    } == {}
    assert len(claimed) >= 40


def test_the_make_menu_lists_every_target() -> None:
    """Each target that a person may call carries a line in the menu."""
    makefile = _text_of("Makefile")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    documented = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
    assert set(phony.group(1).split()) - {"dev"} == documented
