"""deploy/kubernetes as a site takes it: its overlay, the ways out that it opens, backups, upgrades, FOMO26's slots."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluator.spec import load_challenge
from sandbox.gpu import InstalledGpu
from server.evaluations.worker_models import WorkerSlot
from server.queue.slots import Needs, fits
from tests.test_kubernetes import (
    FOLDER,
    NEWEST,
    ROOT,
    Manifest,
    built,
    checked,
    container,
    destinations,
    environment,
    named,
    of,
    pods,
    reaches,
)
from worker.run.allocation import Had
from worker.run.pod import pod

PAGE = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
ANYWHERE = {"ipBlock": {"cidr": "0.0.0.0/0"}}


def beside(tmp_path: Path) -> Path:
    """The examples where the page puts them: in a folder of their own, beside the checkout."""
    assert "cp -r proctor/deploy/kubernetes/examples site" in PAGE
    shutil.copytree(FOLDER, tmp_path / "proctor" / "deploy" / "kubernetes")
    return shutil.copytree(FOLDER / "examples", tmp_path / "site")


def parts(folder: Path) -> list[str]:
    """What a kustomization of the examples stands on, and what it offers in comments."""
    return re.findall(
        r"\.\./\.\./proctor/(deploy/kubernetes/[\w/]+)", (folder / "kustomization.yaml").read_text()
    )


@pytest.mark.parametrize("part", ["platform", "run"])
def test_the_examples_name_what_is_there_and_are_valid(part: str) -> None:
    example = FOLDER / "examples" / part
    named_here = parts(example)
    assert f"deploy/kubernetes/{part}" in named_here
    for name in named_here:
        assert (ROOT / name / "kustomization.yaml").is_file(), name
    for file in sorted(example.glob("*.yaml")):
        if file.name != "kustomization.yaml":
            for one in yaml.safe_load_all(file.read_text()):
                checked(one, NEWEST)


def test_a_site_is_an_overlay_beside_the_checkout(tmp_path: Path) -> None:
    made = built(beside(tmp_path) / "platform")
    if made is None:
        return
    assert len(made) == len(of("platform")) + 2
    for one in made:
        checked(one, NEWEST)
    maps, claims = named(made, "ConfigMap"), named(made, "PersistentVolumeClaim")
    assert maps["proctor-sending"]["data"]["PROCTOR_PUBLIC_URL"] == "https://challenge.hospital.example"
    assert claims["data"]["spec"]["storageClassName"] != claims["backup"]["spec"]["storageClassName"]
    (rule,) = named(made, "Ingress")["server"]["spec"]["rules"]
    assert f"https://{rule['host']}" == maps["proctor-sending"]["data"]["PROCTOR_PUBLIC_URL"]
    service = named(made, "Service")["server"]
    port = rule["http"]["paths"][0]["backend"]["service"]["port"]["name"]
    assert {one["name"]: one["port"] for one in service["spec"]["ports"]}[port] == 8426
    images = {
        container(one["spec"]["template"]["spec"])["image"] for one in named(made, "Deployment").values()
    }
    assert images == {"registry.hospital.example/proctor/server:0.1.0", "redis:7.4"}


def test_a_sites_components_are_taken_in_by_their_lines(tmp_path: Path) -> None:
    site = beside(tmp_path)
    for part in ("platform", "run"):
        file = site / part / "kustomization.yaml"
        file.write_text(
            re.sub(r"^( *)# (- \.\./|components:)", r"\1\2", file.read_text(), flags=re.MULTILINE)
        )
    platform, run = built(site / "platform"), built(site / "run")
    if platform is None or run is None:
        return
    rules = named(platform, "NetworkPolicy")
    assert {"to-bucket", "to-providers", "to-registry"} <= set(rules)
    assert {one["metadata"]["namespace"] for one in rules.values()} == {"proctor"}
    registry = named(platform, "Deployment")["registry"]["spec"]["template"]["spec"]
    assert container(registry)["image"] == "registry:2.8.3"
    (way,) = (one for one in run if one["metadata"]["name"] == "to-bucket")
    assert way["metadata"]["namespace"] == "proctor-run"


@pytest.mark.parametrize(
    ("part", "who"),
    [
        (
            "bucket",
            {
                "matchExpressions": [
                    {"key": "app", "operator": "In", "values": ["server", "score-worker", "backup"]}
                ]
            },
        ),
        ("bucket/run", {}),
        ("oidc", {"matchLabels": {"app": "server"}}),
    ],
)
def test_a_component_opens_one_way_out_and_to_those_alone_that_take_it(part: str, who: Manifest) -> None:
    (policy,) = of(part)
    assert policy["spec"]["podSelector"] == who
    assert policy["spec"]["policyTypes"] == ["Egress"]
    assert list(destinations(policy)) == [ANYWHERE]
    assert [rule["ports"] for rule in policy["spec"]["egress"]] == [[{"port": 443}]]


def test_the_slot_of_a_gpu_pilot_is_large_enough_for_fomo26() -> None:
    limits = load_challenge(ROOT / "challenges" / "fomo26" / "challenge.yaml").limits
    assert limits.gpu is not None
    assert limits.gpu.memory is not None
    given: dict[str, Any] = container(pods()["run-gpu"])["resources"]["limits"]
    memory = int(given["memory"].removesuffix("Gi")) * 2**30
    told = {
        "PROCTOR_POD_NODE": "node-1",
        "PROCTOR_POD_CPUS": str(int(given["cpu"]) * 1000),
        "PROCTOR_POD_MEMORY": str(memory),
        "PROCTOR_POD_GPUS": environment("run-gpu")["PROCTOR_POD_GPUS"],
        "NVIDIA_VISIBLE_DEVICES": "GPU-1",
    }
    gpu = InstalledGpu("GPU-1", limits.gpu.memory, "H100", "570")
    (share,) = pod(told, Had(frozenset(range(64)), memory, [gpu]), None).shares(1, {})
    slot = WorkerSlot(
        cpus=float(share["PROCTOR_SLOT_CPUS"]),
        memory=int(share["PROCTOR_SLOT_MEMORY"]),
        gpus=1,
        gpu_memory=gpu.memory,
        runtimes=["runc"],
    )
    assert fits(Needs.of(limits), slot)
    slot.memory -= 2**30
    assert not fits(Needs.of(limits), slot), "a GiB more than the case needs is the worker's"


def test_a_site_chooses_the_kind_of_gpu(tmp_path: Path) -> None:
    made = built(beside(tmp_path) / "run")
    if made is None:
        return
    asked = named(made, "ScaledJob")["run-gpu"]["spec"]["jobTargetRef"]["template"]["spec"]
    labels = {"proctor/run": "gpu", "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert reaches(asked, labels)
    assert not reaches(asked, labels | {"nvidia.com/gpu.product": "NVIDIA-T4"})


def test_a_backup_runs_where_references_are_mounted_and_reading_it_back_needs_nothing_else() -> None:
    making, reading = pods()["backup"], pods()["backup-verify"]
    (near,) = making["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert near["labelSelector"] == {"matchLabels": {"app": "score-worker"}}
    assert near["topologyKey"] == "kubernetes.io/hostname"
    claims = {
        one["persistentVolumeClaim"]["claimName"]
        for one in reading["volumes"]
        if "persistentVolumeClaim" in one
    }
    assert claims == {"backup"}
    assert environment("backup-verify") == {}
    commands = [container(one)["command"][:5] for one in (making, reading)]
    assert commands == [["python3", "-m", "worker.admin", "backup", "/backup/proctor"]] * 2


def test_an_upgrade_stops_all_that_asks_the_database_before_it_migrates() -> None:
    told = PAGE.partition("## Upgrade")[2].partition("```sh\n")[2].partition("```")[0]
    order = [
        told.index(word) for word in ("cronjob/backup ", "cronjob/backup-verify", "scale", "-l app=migrate")
    ]
    assert order == sorted(order)
    assert (
        told.index("-l app=migrate") < told.index("condition=complete job/migrate") < told.index("site/run")
    )
    stopped = set(
        re.findall(r"deploy/([\w-]+)", re.sub(r"\\\n", "", told).partition("scale")[2].partition("\n")[0])
    )
    (rule,) = named(of("platform"), "NetworkPolicy")["postgres-from"]["spec"]["ingress"]
    asking = set(rule["from"][0]["podSelector"]["matchExpressions"][0]["values"])
    assert stopped == (asking - {"migrate", "backup"}) | {"beat"}
    labelled = [one["metadata"]["name"] for one in of("platform") if "labels" in one["metadata"]]
    assert labelled == ["proctor", "migrate"], "the namespace has others"
    assert named(of("platform"), "Job")["migrate"]["metadata"]["labels"] == {"app": "migrate"}


def test_commands_of_the_page_name_what_is_there() -> None:
    there = {f"{one['kind'].lower()}/{one['metadata']['name']}" for one in of("platform")}
    told = PAGE.replace("deploy/kubernetes", "").replace("deploy/", "deployment/")
    made = set(re.findall(r"create job --from=\S+ (\S+)", told))
    found = set(re.findall(r"(?:deployment|job|cronjob)/[\w.-]+", told)) - {f"job/{name}" for name in made}
    assert found <= there
    assert {"job/migrate", "cronjob/backup", "cronjob/backup-verify", "deployment/server"} <= found


def test_postgres_that_recovers_is_not_killed_and_one_that_is_silent_is(tmp_path: Path) -> None:
    own = container(pods()["postgres"])
    assert own["livenessProbe"]["exec"] == own["startupProbe"]["exec"] != own["readinessProbe"]["exec"]
    script = own["livenessProbe"]["exec"]["command"][2]
    for code, lives in ((0, True), (1, True), (2, False), (3, False)):
        stand_in = (
            tmp_path / "pg_isready"
        )  # its codes: accepting, rejecting while it starts, silent, not asked
        stand_in.write_text(f"#!/bin/sh\nexit {code}\n")
        stand_in.chmod(0o755)
        ended = subprocess.run(
            ["sh", "-c", script], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False, timeout=30
        )
        assert (ended.returncode == 0) is lives, code


def test_a_score_worker_is_asked_where_it_shows_its_figures() -> None:
    own, told = container(pods()["score-worker"]), environment("score-worker")
    (port,) = own["ports"]
    assert told["PROCTOR_METRICS_ADDRESS"] == f"0.0.0.0:{port['containerPort']}"
    for probe in (own["readinessProbe"], own["livenessProbe"]):
        assert probe["httpGet"] == {"path": "/metrics", "port": port["name"]}
