"""deploy/kubernetes: valid by Kubernetes' own schemas, closed, and strangers' code far from database and references.

No cluster is asked. Every manifest is held against the schemas of the Kubernetes project, in which no unknown field
passes, and ScaledJobs against what KEDA's definition of them allows.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate import ValidationError, validate

from server.settings import Outgoing, Settings
from tests.test_compose import SECRETS
from worker.admin.platform import OF_REGISTRY
from worker.run.config import FORBIDDEN, RunConfig

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "deploy" / "kubernetes"
OLDEST, NEWEST = "1.29", "1.37"
Manifest = dict[str, Any]
# Of KEDA 2.17: what may stand in a ScaledJob beside the job itself.
_WORD, _COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
SCALED_JOB = {
    "type": "object",
    "additionalProperties": False,
    "required": ["jobTargetRef", "triggers"],
    "properties": {
        "jobTargetRef": {"type": "object"},
        "envSourceContainerName": _WORD,
        **dict.fromkeys(
            (
                *("pollingInterval", "minReplicaCount", "maxReplicaCount"),
                *("successfulJobsHistoryLimit", "failedJobsHistoryLimit"),
            ),
            _COUNT,
        ),
        "rollout": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"strategy": {"enum": ["default", "gradual"]}, "propagationPolicy": _WORD},
        },
        "scalingStrategy": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"strategy": {"enum": ["default", "accurate", "eager", "custom"]}},
        },
        "triggers": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "metadata"],
                "properties": {
                    "type": {"const": "metrics-api"},
                    "metadata": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["url", "valueLocation", "targetValue"],
                        "properties": dict.fromkeys(
                            ("url", "valueLocation", "targetValue", "format", "activationTargetValue"), _WORD
                        ),
                    },
                },
            },
        },
    },
}


@cache
def of(part: str) -> list[Manifest]:
    """The manifests of a folder, as kustomize takes them."""
    listed = yaml.safe_load((FOLDER / part / "kustomization.yaml").read_text())["resources"]
    return [one for name in listed for one in yaml.safe_load_all((FOLDER / part / name).read_text()) if one]


def everything() -> list[Manifest]:
    parts = ("platform", "run", "bucket", "bucket/run", "oidc", "registry")
    return [one for part in parts for one in of(part)]


def named(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


def pods() -> dict[str, Manifest]:
    """The specification of each pod, by the label that policies go by."""
    found = {}
    for one in everything():
        spec = one.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        template = spec.get("jobTargetRef", spec).get("template")
        if template is not None:
            found[template["metadata"]["labels"]["app"]] = template["spec"]
    return found


def container(pod: Manifest) -> Manifest:
    (only,) = pod["containers"]
    return dict(only)


def with_registry(app: str) -> Manifest:
    """The specification of a pod that the registry's component changes."""
    deployment = deepcopy(named(of("platform"), "Deployment")[app])
    for change in yaml.safe_load((FOLDER / "registry" / "pushes.yaml").read_text()):
        assert change["op"] == "add"
        place: Any = deployment
        *path, end = change["path"].strip("/").split("/")
        for name in path:
            place = place[int(name) if name.isdigit() else name]
        assert end == "-"
        place.append(change["value"])
    checked(deployment, NEWEST)
    return dict(deployment["spec"]["template"]["spec"])


def environment(app: str, pod: Manifest | None = None) -> dict[str, Any]:
    """What a pod's container is told, by name: the value, or where the secret is."""
    maps = named([*of("platform"), *of("registry")], "ConfigMap")
    told: dict[str, Any] = {}
    own = container(pod or pods()[app])
    for source in own.get("envFrom", []):
        told |= maps[source["configMapRef"]["name"]]["data"]
    return told | {one["name"]: one.get("value", one.get("valueFrom")) for one in own.get("env", [])}


def checked(manifest: Manifest, version: str) -> None:
    """Raises where a schema does not take the manifest; unknown fields are never taken."""
    if manifest["apiVersion"] == "keda.sh/v1alpha1":
        assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
        Draft202012Validator(SCALED_JOB).validate(manifest["spec"])
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": manifest["metadata"]}
        validate(job | {"spec": manifest["spec"]["jobTargetRef"]}, version, strict=True)
    else:
        validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_manifest(version: str) -> None:
    assert len(everything()) > 30
    for manifest in everything():
        checked(manifest, version)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    pod = deepcopy(next(one for one in of("platform") if one["kind"] == "Deployment"))
    pod["spec"]["template"]["spec"]["automountServiceAcountToken"] = False
    with pytest.raises(ValidationError, match="automountServiceAcountToken"):
        checked(pod, NEWEST)


def built(folder: Path) -> list[Manifest] | None:
    """What kustomize makes of a folder; None where it is not installed."""
    way = (["kustomize", "build"], ["kubectl", "kustomize"])
    command = next((one for one in way if shutil.which(one[0])), None)
    if command is None:
        return None
    outcome = subprocess.run(
        [*command, str(folder)], capture_output=True, text=True, check=False, timeout=120
    )
    assert outcome.returncode == 0, outcome.stderr
    images = re.findall(r"image: (\S+)", outcome.stdout)
    assert all(":" in image for image in images), images
    return [one for one in yaml.safe_load_all(outcome.stdout) if one]


@pytest.mark.parametrize("part", ["platform", "run"])
def test_kustomize_builds_it_where_it_is_installed(part: str) -> None:
    made = built(FOLDER / part)
    if made is None:
        return
    assert len(made) == len(of(part))
    for one in made:
        if one["kind"] != "Namespace":
            assert one["metadata"]["namespace"] == {"platform": "proctor", "run": "proctor-run"}[part]


def test_kustomize_adds_the_registry_where_its_line_is_taken_in(tmp_path: Path) -> None:
    folder = shutil.copytree(FOLDER, tmp_path / "kubernetes")
    file = folder / "platform" / "kustomization.yaml"
    file.write_text(re.sub(r"# (- \.\./registry)\b", r"\1", file.read_text()))
    assert yaml.safe_load(file.read_text())["components"] == ["../registry", "../images"], (
        "images name it too"
    )
    made = built(folder / "platform")
    if made is None:
        return
    assert len(made) == len(of("platform")) + len(of("registry"))
    deployments = named(made, "Deployment")
    for app in ("server", "score-worker"):
        there = deployments[app]["spec"]["template"]["spec"]
        assert environment(app, there) == environment(app, with_registry(app))
        assert there["volumes"] == with_registry(app)["volumes"]
    assert deployments["registry"]["metadata"]["namespace"] == "proctor"
    assert container(deployments["registry"]["spec"]["template"]["spec"])["image"] == "registry:2.8.3"


def test_every_image_is_pinned_in_one_place() -> None:
    component = yaml.safe_load((FOLDER / "images" / "kustomization.yaml").read_text())
    pinned = {one["name"]: one["newTag"] for one in component["images"]}
    used = {container(pod)["image"] for pod in pods().values()}
    assert used == set(pinned), "without a version where it is used"
    assert all(re.fullmatch(r"\d+\.\d+(\.\d+)?", tag) for tag in pinned.values())
    for part in ("platform", "run"):
        assert "../images" in yaml.safe_load((FOLDER / part / "kustomization.yaml").read_text())["components"]


def test_what_compose_passes_is_passed_here() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for app in ("courier", "beat", "registry"):
        assert set(services[app]["environment"]) <= set(environment(app)), app
    assert container(pods()["beat"])["command"] == services["beat"]["command"]
    assert "schedule.alive" in str(services["beat"]["healthcheck"]), "as the probe"
    assert "schedule.alive" in str(container(pods()["beat"])["livenessProbe"])
    for app in ("server", "score-worker"):
        assert set(services[app]["environment"]) - set(OF_REGISTRY) <= set(environment(app)), app
        assert set(services[app]["environment"]) <= set(environment(app, with_registry(app))), app
    grace = "PROCTOR_DRAIN_SECONDS", "REDIS_URL"  # a pod has --grace, and asks the server for work
    for app in ("run-cpu", "run-gpu"):
        assert set(services["run-worker"]["environment"]) - {*grace} <= set(environment(app)), app


def test_what_compose_usually_passes_is_the_same_here() -> None:
    text = (ROOT / "compose.yaml").read_text()
    usual = dict(re.findall(r"^ +(PROCTOR_\w+): \$\{\1:-([^}\s]+)\}", text, re.MULTILINE))
    assert len(usual) > 10
    told = environment("run-cpu") | environment("server", with_registry("server"))
    assert {name: told[name] for name in usual} == usual


def test_the_programs_take_what_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "PROCTOR_SECRET_KEY", "PROCTOR_WORKER_TOKEN"}
    for app, settings in (
        ("server", Settings),
        ("score-worker", Settings),
        ("backup", Settings),
        ("courier", Outgoing),
        ("run-cpu", RunConfig),
        ("run-gpu", RunConfig),
    ):
        told = environment(app)
        with monkeypatch.context() as patch:
            for name in secrets & set(told):
                patch.setenv(name, "s" * 40)
            for name, value in told.items():
                if isinstance(value, str):
                    patch.setenv(name, value)
            settings()


def test_the_registry_is_told_what_composes_is() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["registry"]
    told = environment("registry")
    for name, value in compose["environment"].items():
        same = re.sub(r"\$\{(\w+):-\}", r"$(\1)", value).replace("/run/", "/run/registry/")
        assert told[name].strip() == same.strip(), name
    assert compose["image"] == "${REGISTRY_IMAGE:-registry:2.8.3}"


def test_the_registry_has_the_certificate_and_who_signs_the_key() -> None:
    pod = pods()["registry"]
    (certificate,) = (one["secret"]["items"] for one in pod["volumes"] if "secret" in one)
    assert [one["key"] for one in certificate] == ["registry.crt"]
    for app in ("server", "score-worker"):
        there, told = with_registry(app), environment(app, with_registry(app))
        (key,) = (one for one in there["volumes"] if "secret" in one)
        assert [one["key"] for one in key["secret"]["items"]] == ["registry.key"]
        (mount,) = (one for one in container(there)["volumeMounts"] if one["name"] == key["name"])
        assert told["PROCTOR_REGISTRY_KEY"] == f"{mount['mountPath']}/registry.key"
        assert told["PROCTOR_REGISTRY_SECRET"]["secretKeyRef"]["name"] == "registry"
    rules = named(of("registry"), "NetworkPolicy")
    (told_of,) = destinations(rules["registry-tells"])
    assert told_of == {"podSelector": {"matchLabels": {"app": "server"}}}
    assert rules["to-registry"]["spec"]["podSelector"] == {"matchLabels": {"app": "score-worker"}}


def test_no_secret_is_written_down() -> None:
    assert not named(everything(), "Secret")
    secret = {*SECRETS, "PROCTOR_SMTP_URL", "PROCTOR_OIDC_PROVIDERS"}
    secret |= {"PROCTOR_BLOBS_ACCESS_KEY", "PROCTOR_BLOBS_SECRET_KEY", "PROCTOR_REGISTRY_SECRET"}
    for app in pods():
        for name, value in environment(app).items():
            assert (name in secret) == (isinstance(value, dict) and "secretKeyRef" in value), (app, name)


def test_run_workers_alone_have_the_engine_and_know_neither_database_nor_broker() -> None:
    apart = {one["spec"]["jobTargetRef"]["template"]["metadata"]["labels"]["app"] for one in of("run")[2:]}
    assert apart == {"run-cpu", "run-gpu"}
    for app, pod in pods().items():
        paths = [one["hostPath"]["path"] for one in pod.get("volumes", []) if "hostPath" in one]
        assert ("/var/run/docker.sock" in paths) == (app in apart)
        assert bool(container(pod)["securityContext"].get("privileged")) == (app in apart)
    for app in apart:
        told = environment(app)
        assert not {*FORBIDDEN, "REDIS_URL", "POSTGRES_PASSWORD", "PROCTOR_SETUP_TOKEN"} & set(told)
        names = {one["valueFrom"]["secretKeyRef"]["name"] for one in env_of(app, "secretKeyRef")}
        assert names == {"run-worker"}


def env_of(app: str, kind: str) -> Iterator[Manifest]:
    yield from (one for one in container(pods()[app])["env"] if kind in one.get("valueFrom", {}))


def test_what_faces_the_network_is_not_root_and_writes_nowhere_but_where_it_must() -> None:
    for app, pod in pods().items():
        assert pod["automountServiceAccountToken"] is False, app
        if app.startswith("run-"):
            continue
        own = container(pod)["securityContext"]
        assert own["readOnlyRootFilesystem"] is True
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_only_the_score_worker_sees_references_and_inputs_are_not_the_servers_to_change() -> None:
    seen = {
        app: {one["mountPath"]: one.get("readOnly", False) for one in container(pod)["volumeMounts"]}
        for app, pod in pods().items()
    }
    assert {app: paths["/data/references"] for app, paths in seen.items() if "/data/references" in paths} == {
        "score-worker": False,
        "backup": True,  # reads them, and changes none
    }
    assert seen["server"]["/data/inputs"] is seen["backup"]["/data/inputs"] is True
    assert [app for app, paths in seen.items() if "/backup" in paths] == ["backup", "backup-verify"]
    assert not any(path.startswith("/data") for path in seen["courier"])


def test_networks_let_nobody_through_but_who_is_named() -> None:
    policies = named(of("platform"), "NetworkPolicy")
    everyone = policies["nobody"]["spec"]
    assert everyone == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, who in (
        ("postgres-from", {"server", "score-worker", "courier", "migrate", "backup"}),
        ("redis-from", {"server", "score-worker", "beat"}),
    ):
        (rule,) = policies[name]["spec"]["ingress"]
        (source,) = rule["from"]
        assert source.keys() == {"podSelector"}, "of this namespace alone"
        assert set(source["podSelector"]["matchExpressions"][0]["values"]) == who
    out = {name for name, one in policies.items() if any("ipBlock" in to for to in destinations(one))}
    assert out == {"courier-out", "names"}
    run = named(of("run"), "NetworkPolicy")["run-workers"]["spec"]
    assert "ingress" not in run
    assert "Ingress" in run["policyTypes"]
    servers = [
        to["podSelector"]["matchLabels"]["app"] for to in destinations({"spec": run}) if "podSelector" in to
    ]
    assert servers == ["server"]
    *names, _ = run["egress"]
    assert names == policies["names"]["spec"]["egress"]
    for rule in names:  # name servers alone: of the cluster, or of the node itself
        assert {port["port"] for port in rule["ports"]} <= {53, 5353}
        for to in rule["to"]:
            if "ipBlock" in to:
                assert re.fullmatch(r"169\.254\.\d+\.\d+/32", to["ipBlock"]["cidr"])


def destinations(policy: Manifest) -> Iterator[Manifest]:
    for rule in policy["spec"].get("egress", []):
        yield from rule["to"]


def test_every_part_is_watched_and_bounded() -> None:
    for app, pod in pods().items():
        own = container(pod)
        assert "memory" in own["resources"]["limits"], app
        if app.startswith("run-"):
            continue
        assert own["resources"]["requests"].keys() == {"cpu", "memory"}
        if app not in {"migrate", "backup", "backup-verify"}:
            assert "livenessProbe" in own, app
    budgets = named(of("platform"), "PodDisruptionBudget")
    assert set(budgets) == {"postgres", "server", "score-worker"}


def reaches(pod: Manifest, labels: dict[str, str], *taints: tuple[str, str]) -> bool:
    """Whether the scheduler may put the pod on a node of these labels and taints (key and effect)."""
    terms = pod.get("affinity", {}).get("nodeAffinity", {})
    wanted = terms.get("requiredDuringSchedulingIgnoredDuringExecution", {"nodeSelectorTerms": [{}]})
    fits = {
        "In": lambda value, values: value in values,
        "NotIn": lambda value, values: value not in values,  # also of a label that is not there
    }
    return (
        pod["nodeSelector"].items() <= labels.items()
        and any(
            all(
                fits[one["operator"]](labels.get(one["key"]), one["values"])
                for one in term.get("matchExpressions", [])
            )
            for term in wanted["nodeSelectorTerms"]
        )
        and all(
            any(
                one["key"] == key and one["operator"] == "Exists" and one.get("effect", effect) == effect
                for one in pod["tolerations"]
            )
            for key, effect in taints
        )
    )


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_pilots_go_to_the_nodes_that_are_proctors_and_past_their_taints(effect: str) -> None:
    gpu, cpu = pods()["run-gpu"], pods()["run-cpu"]
    pool = ("nvidia.com/gpu", effect)  # GKE taints its GPU pools itself, and others are told to
    assert reaches(gpu, {"proctor/run": "gpu"}, pool, ("proctor/run", effect))
    assert reaches(gpu, {"proctor/run": "gpu", "nvidia.com/gpu.sharing-strategy": "none"}, pool)
    for shared in ("time-slicing", "mps"):
        assert not reaches(gpu, {"proctor/run": "gpu", "nvidia.com/gpu.sharing-strategy": shared})
    assert not reaches(gpu, {"nvidia.com/gpu.present": "true"}, pool), "nobody gave it to Proctor"
    assert not reaches(gpu, {"proctor/run": "cpu"})
    assert reaches(cpu, {"proctor/run": "cpu"}, ("proctor/run", effect))
    assert not reaches(cpu, {"proctor/run": "cpu"}, pool), "a GPU is for who needs one"
    for pod in (gpu, cpu):
        assert not reaches(pod, pod["nodeSelector"], ("node.kubernetes.io/unreachable", effect))


def test_a_pilot_ends_before_it_is_killed_and_is_told_what_it_was_given() -> None:
    for app in ("run-cpu", "run-gpu"):
        pod, own = pods()[app], container(pods()[app])
        command = own["command"]
        grace = int(command[command.index("--grace") + 1].removesuffix("s"))
        assert grace + 30 <= pod["terminationGracePeriodSeconds"]
        assert command[command.index("--until-idle") + 1] == "10m"
        told, limits = environment(app), own["resources"]["limits"]
        assert told["PROCTOR_POD_GPUS"] == str(limits.get("nvidia.com/gpu", 0))
        assert told["PROCTOR_POD_CPUS"]["resourceFieldRef"] == {"resource": "limits.cpu", "divisor": "1m"}
        assert told["PROCTOR_POD_MEMORY"]["resourceFieldRef"] == {"resource": "limits.memory"}
        assert ("runtimeClassName" in pod) == (app == "run-gpu")


def test_keda_asks_for_figures_that_the_server_shows_and_may_reach_them() -> None:
    jobs = named(of("run"), "ScaledJob")
    shown = (ROOT / "server" / "monitoring" / "gauges.py").read_text()
    service = named(of("platform"), "Service")["server"]["spec"]["ports"]
    assert {port["port"] for port in service} == {8426, 9100}
    for name, job in jobs.items():
        spec, trigger = job["spec"], job["spec"]["triggers"][0]["metadata"]
        assert f'"{trigger["valueLocation"]}"' in shown
        assert trigger["valueLocation"] == f"proctor_{name.removeprefix('run-')}_cases_to_run"
        assert trigger["url"] == "http://server.proctor.svc:9100/metrics"
        assert spec["minReplicaCount"] == 0 < spec["maxReplicaCount"] <= 16
    rule = named(of("platform"), "NetworkPolicy")["server-from"]["spec"]["ingress"][1]
    assert "keda" in rule["from"][0]["namespaceSelector"]["matchExpressions"][0]["values"]


def test_the_courier_is_told_what_it_sends_with_and_nothing_else() -> None:
    known = {name.removeprefix("PROCTOR_").lower() for name in environment("courier")}
    assert known - {"postgres_password"} == set(Outgoing.model_fields)
