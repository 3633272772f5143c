"""compose.yaml: valid, closed without secrets, and strangers' code far from database and references."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.settings import Outgoing, Settings
from tests.server.registries import EXAMPLE, of_compose, of_docs
from worker.admin.platform import KEPT

ROOT = Path(__file__).resolve().parents[1]
REGISTRY = "registry"
"""Started with the profile of its name alone."""
SERVICES = {
    REGISTRY,
    "postgres",
    "redis",
    "migrate",
    "server",
    "beat",
    "run-worker",
    "score-worker",
    "courier",
}
SECRETS = {
    "POSTGRES_PASSWORD",
    "REDIS_PASSWORD",
    "PROCTOR_SECRET_KEY",
    "PROCTOR_SETUP_TOKEN",
    "PROCTOR_WORKER_TOKEN",
}


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "compose.yaml").read_text()


@pytest.fixture(scope="module")
def services(text: str) -> dict[str, dict[str, Any]]:
    parsed: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(text)
    return parsed["services"]


def mounted(service: dict[str, Any]) -> str:
    return str(service.get("volumes", []))


def test_all_services_are_there(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == SERVICES


def test_composes_own_check_agrees_where_it_is_installed(tmp_path: Path) -> None:
    plugin = (
        subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    )
    command = ["docker", "compose"] if plugin else ["docker-compose"]
    if not plugin and shutil.which("docker-compose") is None:
        return
    (tmp_path / "env").write_text("".join(f"{name}=secret\n" for name in SECRETS))
    options = ["--env-file", str(tmp_path / "env"), "--file", str(ROOT / "compose.yaml")]
    for profile in ([], ["--profile", REGISTRY]):
        outcome = subprocess.run(
            [*command, *options, *profile, "config", "--quiet"], capture_output=True, text=True, check=False
        )
        assert outcome.returncode == 0, outcome.stderr


def test_every_secret_is_required_and_none_is_written_down(text: str) -> None:
    required = set(re.findall(r"\$\{(\w+):\?", text))
    optional = set(re.findall(r"\$\{(\w+):-", text))
    assert required == SECRETS
    assert not required & optional


def test_every_setting_of_the_documentation_reaches_the_services_and_those_under_up(
    services: dict[str, dict[str, Any]],
) -> None:
    table = (
        (ROOT / "docs/operations.md")
        .read_text()
        .partition("| | server | score worker |")[2]
        .partition("\n\n")[0]
    )
    told: dict[str, set[str]] = {"server": set(), "score-worker": set()}
    for row in table.splitlines()[2:]:
        names, *parts = (cell.strip() for cell in row.strip("|").split("|"))
        for service, needed in zip(told, parts[:2], strict=True):
            told[service] |= (
                set(re.findall(r"`([A-Z]+_[A-Z_]+)`", names)) if needed in ("yes", "optional") else set()
            )
    for service, names in told.items():
        assert len(names) > 8
        assert names <= set(services[service]["environment"]), service
    assert told["server"] - set(KEPT) <= {
        *("DATABASE_URL", "REDIS_URL", "PROCTOR_DATA"),
        *("PROCTOR_SECRET_KEY", "PROCTOR_SETUP_TOKEN", "PROCTOR_PUBLIC_URL", "PROCTOR_METRICS_ADDRESS"),
    }, "what an installation says itself"


def test_every_service_restarts_and_is_watched(services: dict[str, dict[str, Any]]) -> None:
    one_shot = services.pop("migrate")
    assert one_shot["restart"] == "no"
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        watched = "healthcheck" in service or "HEALTHCHECK" in dockerfile(service)
        assert watched, name
    services["migrate"] = one_shot


def test_what_every_service_writes_is_bounded(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["logging"] == {
            "driver": "json-file",
            "options": {"max-size": "20m", "max-file": "5"},
        }, name


def test_the_images_of_a_release_are_chosen_by_one_setting(services: dict[str, dict[str, Any]]) -> None:
    named = {name: service["image"] for name, service in services.items() if "build" in service}
    assert set(named.values()) == {
        "proctor/server:${PROCTOR_TAG:-latest}",
        "proctor/worker:${PROCTOR_TAG:-latest}",
    }
    assert named.pop("run-worker").startswith("proctor/worker:")
    assert set(named) == {"migrate", "server", "beat", "score-worker", "courier"}


def test_a_run_worker_hands_its_cases_back_before_it_is_killed(services: dict[str, dict[str, Any]]) -> None:
    worker = services["run-worker"]
    assert worker["environment"]["PROCTOR_DRAIN_SECONDS"] < int(worker["stop_grace_period"].removesuffix("s"))


def dockerfile(service: dict[str, Any]) -> str:
    return (ROOT / service["build"]["dockerfile"]).read_text() if "build" in service else ""


def test_only_the_score_worker_sees_references(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name, service in services.items() if "references" in mounted(service)} == {
        "score-worker"
    }


def test_what_the_server_receives_of_cases_reaches_the_score_worker(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in ("server", "score-worker"):
        assert "uploads:/data/uploads" in services[name]["volumes"], name
    assert "uploads" not in mounted(services["run-worker"])


def test_only_the_run_worker_has_the_engine_and_it_knows_no_database(
    services: dict[str, dict[str, Any]],
) -> None:
    with_engine = {name for name, service in services.items() if "docker.sock" in mounted(service)}
    assert with_engine == {"run-worker"}
    worker = services["run-worker"]
    assert not {"DATABASE_URL", "PROCTOR_DATA", "PROCTOR_SECRET_KEY"} & set(worker["environment"])
    assert "database" not in worker["networks"]
    assert services["postgres"]["networks"] == ["database"]


def test_what_goes_out_by_itself_knows_neither_data_nor_keys(services: dict[str, dict[str, Any]]) -> None:
    courier = services["courier"]
    assert "volumes" not in courier
    assert not {"PROCTOR_DATA", "PROCTOR_SECRET_KEY", "REDIS_URL"} & set(courier["environment"])
    assert set(Outgoing.model_fields) == {
        name.removeprefix("PROCTOR_").lower() for name in courier["environment"]
    }


def test_networks_and_volumes_that_are_used_exist(text: str) -> None:
    parsed = yaml.safe_load(text)
    for name, service in parsed["services"].items():
        assert set(service.get("networks", [])) <= set(parsed["networks"]), name
        named = {volume.split(":")[0] for volume in service.get("volumes", []) if isinstance(volume, str)}
        assert {one for one in named if not one.startswith(("/", "$"))} <= set(parsed["volumes"]), name
        assert set(service.get("depends_on", {})) <= SERVICES, name


def test_what_bounds_a_source_is_the_servers_to_set(services: dict[str, dict[str, Any]]) -> None:
    for name in ("log_ins_per_source", "registrations_per_source", "registrations_per_hour"):
        variable, usual = f"PROCTOR_{name.upper()}", Settings.model_fields[name].default
        assert services["server"]["environment"][variable] == f"${{{variable}:-{usual}}}"


def test_only_the_server_listens_and_only_locally_unless_told(services: dict[str, dict[str, Any]]) -> None:
    listening = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert listening == {
        "server": ["${PROCTOR_LISTEN:-127.0.0.1:8426}:8426"],
        REGISTRY: ["${PROCTOR_REGISTRY_LISTEN:-127.0.0.1:5000}:5000"],
    }


def test_the_registry_is_for_who_asks_for_it_and_knows_neither_data_nor_keys(
    services: dict[str, dict[str, Any]],
) -> None:
    assert {name for name, one in services.items() if "profiles" in one} == {REGISTRY}
    registry, key = services[REGISTRY], "/run/registry.key"
    assert registry["profiles"] == [REGISTRY]
    assert registry["read_only"] is True
    assert registry["cap_drop"] == ["ALL"]
    assert registry["networks"] == ["front", "push"], "no database, no broker"
    with_key = {name for name, one in services.items() if key in mounted(one)}
    assert with_key == {"server", "score-worker"}, "who signs; the registry has the certificate"
    for name in with_key:
        assert services[name]["environment"]["PROCTOR_REGISTRY_KEY"] == key
        assert f"${{PROCTOR_REGISTRY_KEY:-/dev/null}}:{key}:ro" in services[name]["volumes"]
        assert "front" in services[name]["networks"] or "push" in services[name]["networks"]


def test_the_registry_is_told_what_the_documentation_says(tmp_path: Path) -> None:
    """A real one is started of either in tests/server/test_registry_turns.py."""
    env, file = of_compose(tmp_path, 5000, EXAMPLE), of_docs(tmp_path, 5000, EXAMPLE)
    (here,), (there,) = (
        yaml.safe_load(env["REGISTRY_NOTIFICATIONS_ENDPOINTS"]),
        file["notifications"]["endpoints"],
    )
    assert here == there
    told = {name.lower(): value for name, value in env.items()}
    token = {name: told[f"registry_auth_token_{name}"] for name in file["auth"]["token"]}
    assert token == file["auth"]["token"]
    storage = {
        "filesystem": {"rootdirectory": told["registry_storage_filesystem_rootdirectory"]},
        "delete": {"enabled": told["registry_storage_delete_enabled"] == "true"},
        "redirect": {"disable": told["registry_storage_redirect_disable"] == "true"},
    }
    assert storage == file["storage"]


def test_what_faces_the_network_is_not_root(services: dict[str, dict[str, Any]]) -> None:
    assert "\nUSER proctor\n" in dockerfile(services["server"])
    for name in ("server", "beat", "score-worker", "courier", "migrate"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"] is True


@pytest.mark.parametrize("name", ["server", "worker"])
def test_images_are_labelled_with_the_version_of_the_release(name: str) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    recipe = (ROOT / "docker" / f"{name}.Dockerfile").read_text()
    assert f'org.opencontainers.image.version="{version}"' in recipe
    for label in ("revision", "source", "licenses", "title"):
        assert recipe.count(f"org.opencontainers.image.{label}=") == 1


@pytest.mark.parametrize("name", ["server", "worker"])
def test_images_are_built_on_a_chosen_base_from_files_that_exist(name: str) -> None:
    recipe = (ROOT / "docker" / f"{name}.Dockerfile").read_text()
    bases = {line.split()[1] for line in recipe.splitlines() if line.startswith("FROM ")}
    assert bases == {"${PYTHON_IMAGE}"}
    allowed = (ROOT / ".dockerignore").read_text()
    for line in recipe.splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert f"!{source.split('/')[0]}" in allowed, source


def test_the_run_workers_image_holds_no_server_code() -> None:
    recipe = (ROOT / "docker" / "worker.Dockerfile").read_text()
    assert "COPY server" not in recipe
    assert "COPY worker /" not in recipe
