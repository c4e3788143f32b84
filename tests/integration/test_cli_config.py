"""`mqtt-dashboard config` and `completion`, as a shell runs them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).parent / "mqtt-dashboard"
FAMILIES = ("MQTT_", "REDIS_", "DASHBOARD_", "ADMIN_", "AUTH_", "SESSION_")


def run(folder: Path, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    clean = {name: text for name, text in os.environ.items() if not name.startswith(FAMILIES)}
    return subprocess.run(
        [str(SCRIPT), *words],
        env={**clean, **extra},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def rows(text: str) -> dict[str, tuple[str, str]]:
    found = {}
    for line in text.splitlines():
        name, value, source = line.split("\t")
        found[name] = (value, source)
    return found


def test_config_shows_each_value_with_its_source_and_no_secret(tmp_path: Path) -> None:
    """The environment wins over .env; a secret, wherever it comes from, is only said to be set."""
    (tmp_path / ".env").write_text("REDIS_HOST=from-file\nDASHBOARD_PORT=9000\nREDIS_PASSWORD=s1\n")
    secret = tmp_path / "secret"
    secret.write_text("s2-hidden\n")
    extra = {
        "DASHBOARD_PORT": "9001",
        "REDIS_PASSWORD_FILE": str(secret),
        "MQTT_URL": "mqtts://ada:s3-hidden@broker.example",
        "MQTT_DASHBOARD_TOKEN": "s4-hidden",
    }
    done = run(tmp_path, "config", "show", **extra)
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert found["REDIS_HOST"] == ("from-file", ".env")
    assert found["DASHBOARD_PORT"] == ("9001", "environment")
    assert found["REDIS_PASSWORD"] == ("set", "environment (REDIS_PASSWORD_FILE)")
    assert found["MQTT_BROKER_HOST"] == ("broker.example", "MQTT_URL")
    assert found["MQTT_PASSWORD"] == ("set", "MQTT_URL")
    assert found["MQTT_DASHBOARD_TOKEN"] == ("set", "environment")
    assert found["WEB_CONCURRENCY"] == ("1", "default")
    assert "hidden" not in done.stdout + done.stderr
    assert "WEB_CONCURRENCY" not in run(tmp_path, "config", "show", "--set", **extra).stdout
    documents = json.loads(run(tmp_path, "config", "show", "--json", **extra).stdout)
    assert "hidden" not in str(documents)
    (port,) = [one for one in documents if one["name"] == "DASHBOARD_PORT"]
    assert (port["value"], port["source"]) == ("9001", "environment")


def test_config_show_names_the_url_only_for_what_it_says(tmp_path: Path) -> None:
    """Account from the environment, address from MQTT_URL: each has its own source."""
    extra = {
        "MQTT_URL": "mqtt://broker.example:1884",
        "MQTT_USERNAME": "ada",
        "MQTT_PASSWORD": "s5-hidden",
        "MQTT_TRANSPORT": "websockets",
        "MQTT_BROKER_HOST": "elsewhere",
        "MQTT_TLS": "true",
    }
    found = rows(run(tmp_path, "config", "show", **extra).stdout)
    assert found["MQTT_USERNAME"] == ("set", "environment")
    assert found["MQTT_PASSWORD"] == ("set", "environment")
    assert found["MQTT_TLS"] == ("true", "environment")
    assert found["MQTT_BROKER_HOST"] == ("broker.example", "MQTT_URL")
    assert found["MQTT_BROKER_PORT"] == ("1884", "MQTT_URL")
    assert found["MQTT_TRANSPORT"] == ("tcp", "MQTT_URL")
    assert found["MQTT_WS_PATH"] == ("/mqtt", "default")


def test_config_check_names_every_problem(tmp_path: Path) -> None:
    """All at once, with status 2; a slip in .env is guessed; good settings say good."""
    assert run(tmp_path, "config", "check").stdout.startswith("good: 0 of ")
    (tmp_path / ".env").write_text("DASHBOARD_PROT=9000\n")
    slip = run(tmp_path, "config", "check")
    assert (slip.returncode, "is DASHBOARD_PORT meant?" in slip.stderr) == (0, True)
    bad = run(tmp_path, "config", "check", DASHBOARD_PORT="x", MQTT_TOPICS="a/#/b")
    assert bad.returncode == 2
    assert "DASHBOARD_PORT" in bad.stderr
    assert "MQTT_TOPICS" in bad.stderr
    document = json.loads(run(tmp_path, "config", "check", "--json", DASHBOARD_PORT="x").stdout)
    assert document["ok"] is False
    missing = run(tmp_path, "config", "check", "--env-file", "nowhere.env")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_for_the_shell(tmp_path: Path, shell: str) -> None:
    """Each script asks this program; where the shell is here, it accepts the script."""
    done = run(tmp_path, "completion", shell)
    assert done.returncode == 0, done.stderr
    assert "_MQTT_DASHBOARD_COMPLETE" in done.stdout
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.stdout)
        subprocess.run([shell, "-n", str(script)], check=True, timeout=20)


def test_completion_offers_commands_and_options(tmp_path: Path) -> None:
    """What the script asks is answered with the commands and options that exist."""
    extra = {"_MQTT_DASHBOARD_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    commands = run(tmp_path, COMP_WORDS="mqtt-dashboard t", **extra).stdout
    assert {"plain,tail", "plain,topics", "plain,tokens"} <= set(commands.split())
    extra["COMP_CWORD"] = "2"
    assert "plain,--retain" in run(tmp_path, COMP_WORDS="mqtt-dashboard pub --", **extra).stdout


def test_every_command_has_examples_in_its_help(tmp_path: Path) -> None:
    """--help of what one uses by hand ends with examples."""
    names = ("serve", "up", "doctor", "pub", "tail", "topics", "users", "tokens", "config")
    for name in (*names, "completion"):
        assert "Examples:" in run(tmp_path, name, "--help").stdout, name
