"""Sending a folder of cases to another server, packed as it goes; no archive of it is written here."""

import os
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from evaluator.terminal import say
from server.datasets.names import is_litter
from worker.admin.api import api
from worker.admin.consignments import made_of_consignment
from worker.admin.context import fail, make_sure
from worker.admin.datasets import say_changes
from worker.admin.making import made_of, noted, warned

_PIECE = 1 << 20


def send(
    server: str,
    folder: Path,
    challenge: str,
    place: Mapping[str, str],
    *,
    accept: bool,
    yes: bool,
    why: str | None,
) -> None:
    """As `import-dataset` here: staged on the server, and brought into force unless evaluations are concerned."""
    if not folder.is_dir():
        fail(f"{folder} is no folder.")
    what = f"{challenge} {' '.join(place.values())}"
    with api(server=server, data=None) as there:
        path = f"/organize/{challenge}/datasets"
        try:
            made = made_of(
                lambda accepted: made_of_consignment(
                    there,
                    challenge,
                    there.send("POST", path, packed(folder), **place, accept=accepted),
                ),
                accept=accept,
                nothing="Nothing was imported",
            )
        except OSError as error:
            fail(
                f"Nothing was imported: {error.filename or folder} cannot be read: {error.strerror or error}"
            )
        say(*warned(made.warnings), *noted(made.notes), err=True)
        if made.difference is not None:
            say_changes(made.difference)
        if made.state == "active":
            say(f"{what}: unchanged, {made.cases} cases, {made.digest}")
            return
        effect = made.effect
        touches = bool(effect.leave or effect.come_back or effect.waiting)
        if touches or made.state == "superseded":
            make_sure(if_it_comes(what, made.digest, made.state, made.cases, effect.sentence), yes=yes)
        there.post(f"/admin/datasets/{made.id}/activate", {"yes": True, "why": why})
        told = f" ({effect.sentence})" if touches else ""
    done = "in force again" if made.state == "superseded" else "imported"
    say(f"{what}: {done}, {made.cases} cases, {made.digest}{told}")


def if_it_comes(what: str, digest: str, state: str, cases: int, effect: str) -> str:
    """What is asked before a version comes into force where that is no small thing; `what`: challenge, phase, task."""
    is_what = "is an earlier version of the cases" if state == "superseded" else "is staged"
    short, (challenge, phase, task) = digest[7:19], what.split()
    return (
        f"{what}: {short} {is_what}, {cases} cases. If it comes into force: {effect}. Without a yes it stays as it is; "
        f"'proctor-admin activate-dataset {short}' brings it into force later, and 'proctor-admin reevaluate "
        f"{challenge} --phase {phase} --task {task} --mode complete --on {short} --why REASON' together with new "
        "scores of what was submitted."
    )


def packed(folder: Path) -> Iterator[bytes]:
    """The folder as a tar archive, piece by piece; links are followed, and what no import looks at is left out.

    Raises:
        OSError: a file cannot be read; what has been sent is no whole archive then.
    """
    readable, writable = os.pipe()
    failed: list[OSError] = []
    packing = threading.Thread(target=_pack, args=(folder, writable, failed))
    packing.start()
    try:
        with os.fdopen(readable, "rb") as pipe:
            while piece := pipe.read(_PIECE):
                yield piece
    finally:
        packing.join()
    if failed:
        raise failed[0]


def _pack(folder: Path, writable: int, failed: list[OSError]) -> None:
    try:
        with (
            os.fdopen(writable, "wb") as pipe,
            tarfile.open(fileobj=pipe, mode="w|", dereference=True) as tar,
        ):
            for place, folders, names in os.walk(folder, followlinks=True):
                folders[:] = sorted(name for name in folders if not is_litter(name))
                for name in sorted(names):
                    path = Path(place, name)
                    if path.is_file() and not is_litter(name):
                        tar.add(path, Path(folder.resolve().name, path.relative_to(folder)), recursive=False)
    except OSError as error:  # that nobody reads any more is one, too
        failed.append(error)
