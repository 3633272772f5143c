"""Figures are shown to Prometheus where one asks for them, name no team, and are what rules and board ask for."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter, ValidationError

from contract.metrics import MetricsAddress, listen
from server.app import create_app
from tests.server.conftest import serving
from tests.server.lab import Lab
from tests.server.test_bases import MakeEntrant
from worker.embedded.ports import free_port
from worker.run import metrics as worker_metrics

DOCS = Path(__file__).parents[2] / "docs"
Samples = dict[str, list[tuple[dict[str, str], float]]]


@contextmanager
def shown(lab: Lab) -> Iterator[tuple[str, str]]:
    """A server that shows its figures: where it serves, and where they are."""
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    app = create_app(lab.settings.model_copy(update={"metrics_address": address}))
    with serving(app) as url:
        yield f"{url}/api/v1", f"http://{address}/metrics"


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return sum(
        number for own, number in found.get(name, []) if all(own.get(key) == labels[key] for key in labels)
    )


def test_figures_say_how_things_stand_and_what_happened(lab: Lab, entrant: MakeEntrant) -> None:
    lab.dataset(cases=3)
    name = f"Counted {uuid4().hex[:8]}"
    team = entrant(name)
    team.submit()
    with shown(lab) as (url, figures):
        before = samples(httpx.get(figures, timeout=30).text)
        assert value(before, "proctor_queue_cases", challenge=lab.slug, phase="validation") == 3
        assert value(before, "proctor_queue_oldest_seconds", challenge=lab.slug) >= 0
        whole = before["proctor_cpu_cases_to_run"] + before["proctor_gpu_cases_to_run"]
        assert sorted(whole, key=lambda one: one[1]) == [({}, 0), ({}, 3)], "no labels: KEDA reads one figure"
        assert value(before, "proctor_database_answers") == 1
        with httpx.Client(base_url=url) as http:
            assert http.get("/me").status_code == 401
            assert http.get(f"/{uuid4()}").status_code == 404
            worker = lab.worker()
            worker.finish(worker.take())  # in another server of this process, which counts in the same place
        time.sleep(5.1)  # the database is asked that often at most
        text = httpx.get(figures, timeout=30).text
        assert httpx.get(f"{url.removesuffix('/api/v1')}/metrics").status_code == 404, "not where it serves"
    after = samples(text)

    def grew(figure: str, **labels: str) -> float:
        return value(after, figure, **labels) - value(before, figure, **labels)

    assert grew("proctor_verdicts_total", verdict="valid") == 1
    assert grew("proctor_case_run_seconds_count") == 1
    assert grew("proctor_refusals_total", code="not_signed_in") == 1
    assert grew("proctor_http_responses_total", route="GET /api/v1/me", status="4xx") == 1
    assert grew("proctor_http_responses_total", route="nowhere") >= 1
    assert value(after, "proctor_queue_cases", challenge=lab.slug) == 2
    assert value(after, "proctor_cases", challenge=lab.slug, status="done") == 1
    assert name not in text
    assert team.team not in text


def test_rules_and_board_ask_for_figures_that_there_are(lab: Lab) -> None:
    assert worker_metrics.CASES is not None  # imported, so that those of run workers are among them
    (lab.settings.data / "last_backup").write_text("2026-01-01T00:00:00+00:00\n")
    with shown(lab) as (_, figures):
        families = list(text_string_to_metric_families(httpx.get(figures, timeout=30).text))
    (lab.settings.data / "last_backup").unlink()
    known = {family.name + end for family in families for end in ("", "_total", "_bucket", "_count", "_sum")}
    groups = yaml.safe_load((DOCS / "monitoring/rules.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert all(rule.keys() <= {"alert", "expr", "for", "labels", "annotations"} for rule in rules)
    board = json.loads((DOCS / "monitoring/grafana.json").read_text())
    asked = [rule["expr"] for rule in rules]
    asked += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(asked) > 30
    named = {name for query in asked for name in re.findall(r"proctor_\w+", query)}
    assert named <= known, sorted(named - known)
    documented = set(re.findall(r"`(proctor_\w+)`", (DOCS / "monitoring.md").read_text()))
    ours = {family.name for family in families if family.name.startswith("proctor_")}
    assert {name.removesuffix("_total") for name in documented} == {
        name for name in ours if not name.endswith("_created")
    }


@pytest.mark.parametrize("address", ["9100", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":9100"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="write HOST:PORT"):
        TypeAdapter(MetricsAddress).validate_python(address)


def test_a_port_that_is_taken_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    address = f"127.0.0.1:{free_port('127.0.0.1')}"
    end = listen(address)
    listen(address)()
    end()
    assert "metrics_not_shown" in capsys.readouterr().err
