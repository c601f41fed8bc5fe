"""Dockerfile and compose.yaml: linted, and every command in them exists in the program."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from scm_api.cli import app
from scm_api.settings import Settings

CHECKOUT = Path(__file__).parents[2]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
ENV_FILES = ("compose.env", "compose.admin.env")


def environment(name: str) -> dict[str, str]:
    """The settings of an example environment file."""
    lines = (CHECKOUT / f"{name}.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def commands() -> list[list[str]]:
    """Every `scm-api` command that a container is started with, or that the comments tell."""
    started = [
        service["command"] for service in COMPOSE["services"].values() if "command" in service
    ]
    default = re.search(r'^CMD \["scm-api"(.*)\]$', DOCKERFILE, re.MULTILINE)
    assert default is not None
    started.append(["scm-api", *re.findall(r'"([^"]+)"', default.group(1))])
    told = re.findall(r"scm-api (keys [a-z-]+ .*)", (CHECKOUT / "compose.yaml").read_text())
    return started + [["scm-api", *line.split()] for line in told]


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([program, CHECKOUT / "Dockerfile"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_and_option_exists(command: list[str]) -> None:
    assert command[0] == "scm-api"
    words = [word for word in command[1:] if not word.startswith("-") and not word.isdigit()]
    path = words[:2] if words[0] in ("keys", "db", "organizations") else words[:1]
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    for option in (word for word in command if word.startswith("--")):
        assert option in shown.output


def test_the_image_runs_as_a_user_without_rights_and_says_when_it_is_healthy() -> None:
    *_, final = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    (user,) = re.findall(r"^USER (\S+)$", final, re.MULTILINE)
    assert user == "10001:10001"
    assert "HEALTHCHECK" in final
    assert "/readyz" in final


def test_every_setting_in_the_containers_is_one_the_program_knows() -> None:
    known = {f"SCM_{name.upper()}" for name in Settings.model_fields}
    named = set(re.findall(r"\bSCM_[A-Z_]+", DOCKERFILE))
    for name in ENV_FILES:
        named |= set(re.findall(r"\bSCM_[A-Z_]+", (CHECKOUT / f"{name}.example").read_text()))
    assert named <= known


def test_what_starts_waits_for_what_it_needs() -> None:
    services = COMPOSE["services"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api", "worker"):
        assert services[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"}
        }
    assert services["postgres"]["image"].startswith("postgres:18")
    assert "pg_isready" in services["postgres"]["healthcheck"]["test"][1]


def test_only_postgres_and_migrate_hold_the_administrators_password() -> None:
    holders = {
        name
        for name, service in COMPOSE["services"].items()
        if "compose.admin.env" in str(service["env_file"])
    }
    assert holders == {"postgres", "migrate"}
    assert "POSTGRES_PASSWORD" not in environment("compose.env")
    assert "SCM_MIGRATION_DATABASE_URL" not in environment("compose.env")
    ignored = (CHECKOUT / ".gitignore").read_text().splitlines()
    assert set(ENV_FILES) <= set(ignored)
