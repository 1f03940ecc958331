"""compose.yaml and Containerfile, judged without an engine."""

import importlib.util
import re
from typing import Any

import pytest
import yaml

from tbot_bot.support.path_resolver import CODE_ROOT
from tools.containers import health
from tools.installer.source import files_of

STATE = "${TBOT_STATE:-./state}"
WHOLE = [f"{STATE}:/var/lib/tbot"]
VOLUMES: dict[str, list[str]] = {
    "folders": WHOLE,
    "migrate": WHOLE,
    "provisioning": WHOLE,
    "backup": WHOLE,
    "bot": WHOLE,
    "universe": WHOLE,
    "backtest": WHOLE,
    "web": [f"{STATE}/control:/var/lib/tbot/control"],
    "paper": [f"{STATE}/output/paper:/var/lib/tbot/output/paper"],
    "loopback": [],
}
USERS = {
    "folders": "0:0",
    "web": "64101:64101",
    "provisioning": "64102:64102",
    "migrate": "64102:64102",
    "backup": "64102:64102",
    "bot": "64103:64103",
    "universe": "64103:64103",
    "backtest": "64103:64103",
    "paper": "64104:64104",
}
CONTAINERFILE = (CODE_ROOT / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((CODE_ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_every_command_is_a_module_that_exists(name):
    module = SERVICES[name]["command"][0]
    assert importlib.util.find_spec(module) is not None


@each_service
def test_every_container_is_read_only_without_capabilities_or_new_privileges(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("cap_add", []) == (["CHOWN", "FOWNER", "FSETID", "DAC_OVERRIDE"] if name == "folders" else [])
    assert service["memswap_limit"] == service["mem_limit"], "nothing secret may reach the swap"
    assert not {"privileged", "devices", "pid", "ipc", "userns_mode"} & set(service)


@each_service
def test_every_container_sees_the_folders_that_are_its_own(name):
    assert SERVICES[name].get("volumes", []) == VOLUMES[name]


@each_service
def test_every_container_runs_as_its_user(name):
    assert SERVICES[name].get("user") == USERS.get(name)


def test_only_the_page_can_be_reached_and_only_from_this_machine():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8080:8080"]}


def test_what_needs_no_network_has_none_and_the_page_shares_none_with_the_broker():
    without = {name for name, service in SERVICES.items() if service.get("network_mode") == "none"}
    assert without == {"folders", "migrate", "provisioning", "backtest"}
    assert SERVICES["web"]["networks"] == ["pages"]
    trading = {name for name, service in SERVICES.items() if service.get("network_mode") == "service:loopback"}
    assert trading == {"paper", "bot", "universe"}


def test_everything_waits_for_the_migration_and_that_for_the_folders():
    assert SERVICES["migrate"]["depends_on"] == {"folders": {"condition": "service_completed_successfully"}}
    waiting = {name for name, service in SERVICES.items() if "migrate" in service.get("depends_on", {})}
    assert waiting == set(SERVICES) - {"folders", "migrate", "loopback"}


def test_no_secret_stands_in_the_file():
    assert {key for service in SERVICES.values() for key in service.get("environment", {})} == {"TBOT_WEB_HOSTS"}


def test_health_is_asked_of_what_the_check_knows():
    asked = {name: service["healthcheck"]["test"][-1] for name, service in SERVICES.items() if "healthcheck" in service}
    assert asked == {name: name for name in (*health.ADDRESSES, *health.SNAPSHOTS)}


def test_the_image_has_the_users_and_groups_of_the_compose_file():
    numbers = dict(re.findall(r"groupadd --gid (\d+) (tbot[a-z-]*)", CONTAINERFILE))
    assert numbers == {"64110": "tbot", "64111": "tbot-state", "64112": "tbot-ask"}
    users = dict(re.findall(r"\b(web|keys|bot|paper):(\d+)\b", CONTAINERFILE))
    assert users == {"web": "64101", "keys": "64102", "bot": "64103", "paper": "64104"}
    known = {*numbers, *users.values(), "0"}
    for service in SERVICES.values():
        assert {*service.get("user", "0").split(":"), *service.get("group_add", [])} <= known


def test_the_image_runs_as_nobody_special_from_the_same_base_that_built_it():
    assert re.findall(r"(?m)^USER (.*)$", CONTAINERFILE) == ["64101:64101"]
    bases = set(re.findall(r"(?m)^FROM (\S+)", CONTAINERFILE))
    assert len(bases) == 1


def test_what_is_copied_exists_and_state_and_keys_are_kept_out():
    copied = [name for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", CONTAINERFILE) for name in line.split()[:-1]]
    assert all((CODE_ROOT / name).exists() for name in copied)
    assert {str(path).split("/")[0] for path in files_of(CODE_ROOT)} >= {name.split("/")[0] for name in copied}
    ignored = (CODE_ROOT / ".containerignore").read_text()
    assert {line[1:] for line in ignored.splitlines() if line.startswith("!")} == set(copied)
    assert {"tbot_bot/storage", "tbot_bot/core", "**/*.key", "**/*.enc", "**/.env*"} <= set(ignored.splitlines())
    assert (CODE_ROOT / ".dockerignore").read_text() == ignored


def test_the_image_is_named_after_the_version():
    assert SERVICES["web"]["image"] == f"localhost/tbot:{(CODE_ROOT / 'VERSION.md').read_text().strip()[1:]}"
