"""SIF files run on the real engine as any image does, with the environment that their scripts make."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evaluator.spec import Challenge, Limits
from evaluator.verdicts import Fault
from sandbox.archive import DirectorySink, check_archive, write_canonical
from sandbox.engine import Engine
from sandbox.jobs import CaseJob, CaseOutcome, Slot
from sandbox.loading import load_image
from sandbox.run import run_case
from tests.hostile.tiny import ARM64, program
from tests.sandbox.sifs import Files, partition, shell, sif, squashfs

WRITES = b"""
for word; do :; done
[ "$1" = /app/predict.py ] || exit 9
echo "from $0 PYTHONPATH=$PYTHONPATH MORE=$MORE task=$PROCTOR_TASK user=$APPTAINER_NAME words=$#"
echo 0.25 > "$word"
"""
SHOWS = b"""#!/bin/su
while read -r line; do
    case $line in NoNewPrivs*) echo "$line" ;; esac
done < /proc/self/status
"""
SCRIPTS: Files = {
    ".singularity.d/env/10-docker2singularity.sh": b"#!/bin/sh\nexport PATH=/opt/env/bin:$PATH\n",
    ".singularity.d/env/90-environment.sh": b'export PYTHONPATH="/opt/lib with spaces"\n',
}
Run = Callable[..., CaseOutcome]


@pytest.fixture(scope="module")
def system() -> Files:
    return shell()


@pytest.fixture
def run(
    engine: Engine, challenge: Challenge, limits: Limits, volume: Path, tmp_path: Path
) -> Iterator[Callable[..., CaseOutcome]]:
    """Runs one case of task5 on a SIF file with these files; `call` None is the runscript."""
    loaded: list[str] = []

    def run(
        files: Files, *more: str, call: tuple[str, ...] | None = ("python", "/app/predict.py")
    ) -> CaseOutcome:
        path = tmp_path / "image.sif"
        path.write_bytes(sif(partition(squashfs(files, more=more))))
        sink = DirectorySink(tmp_path / "blobs")
        facts = check_archive(path, limit=2**30, sink=sink, calls=(call,))
        with (tmp_path / "canonical.tar").open("w+b") as archive:
            write_canonical(facts, sink.open, archive)
            archive.seek(0)
            load_image(engine, archive, facts.digest)
        loaded.append(facts.digest)
        task = challenge.tasks["task5"].model_copy(update={"call": call})
        job = CaseJob(
            name=f"proctor-{uuid.uuid4()}-1",
            image=facts.digest,
            task=task,
            task_name="task5",
            track="method",
            inputs={one.key: volume for one in task.all_inputs},
            pseudonym=uuid.uuid4().hex,
            limits=limits,
            slot=Slot(),
            scratch=tmp_path / uuid.uuid4().hex,
        )
        return run_case(engine, job)

    yield run
    for digest in loaded:
        engine.remove_image(digest)


def test_a_sif_file_runs_with_the_path_that_its_scripts_make(run: Run) -> None:
    """Scripts may use what bash has beyond sh; a setuid program of root, which runs the program here, gains nothing."""
    scripts = SCRIPTS | {".singularity.d/env/91-bash.sh": b"[[ -n $PATH ]] && source /opt/more\n"}
    programs = {"opt/env/bin/python": SHOWS + WRITES, "usr/bin/python": b"#!/bin/sh\nexit 7\n"}
    more: Files = {"opt/more": b"export MORE=more\n"}
    done = run({**shell("/bin/bash"), **scripts, **programs, **more}, "bin/su f 4755 0 0 cat /bin/sh")
    assert (done.verdict.valid, done.output) == (True, b"0.25"), (done.verdict, done.log)
    assert (
        "from /opt/env/bin/python PYTHONPATH=/opt/lib with spaces MORE=more task=task5 user=image.sif words=5\n"
        in done.log
    )
    assert "NoNewPrivs:\t1" in done.log
    assert done.options["Entrypoint"] == ["python", "/app/predict.py"]


def test_without_a_call_the_runscript_runs_in_the_same_environment(run: Run, system: Files) -> None:
    runscript = b'#!/bin/sh\nset -- "$@"\nexec python /app/predict.py "$@"\n'
    files = (
        system
        | SCRIPTS
        | {"opt/env/bin/python": b"#!/bin/sh" + WRITES, ".singularity.d/runscript": runscript}
    )
    done = run(files, call=None)
    assert done.verdict.valid, (done.verdict, done.log)
    assert "PYTHONPATH=/opt/lib" in done.log


PYTHON = "opt/env/bin/python"
CANNOT: dict[str, tuple[Files, tuple[str, ...], str]] = {
    # Beside one that would run, for the check refuses where PATH can lead to no other.
    "for another machine": (
        {PYTHON: program(ARM64), "usr/bin/python": b"#!/bin/sh\nexit 7\n"},
        (),
        "another kind of machine",
    ),
    "without its interpreter": ({PYTHON: b"#!/nowhere\n"}, (), "a file it needs is not in the image"),
    "not executable": (
        {},
        ("opt d 755 0 0", "opt/env d 755 0 0", "opt/env/bin d 755 0 0", f"{PYTHON} f 644 0 0 cat /bin/true"),
        "image",
    ),
}
CAN: dict[str, bytes] = {
    "ends with 127": b"#!/bin/sh\nexit 127\n",
    "ends with 126": b"#!/bin/sh\nexit 126\n",
    "is a script for the shell that starts it": b"exit 127\n",
    "fails to execute another": b"#!/bin/sh\nexec /nowhere\n",
}


@pytest.mark.parametrize("bash", [False, True], ids=["sh", "bash"])
def test_a_program_that_the_wrapper_cannot_execute_is_no_start(bash: bool, run: Run) -> None:
    base = shell("/bin/bash") if bash else shell()
    for what, (files, more, says) in CANNOT.items():
        done = run({**base, **SCRIPTS, **files}, *more)
        assert (done.verdict.fault, says in done.verdict.message) == (Fault.NO_START, True), (what, done)


@pytest.mark.parametrize("bash", [False, True], ids=["sh", "bash"])
def test_a_program_that_ran_has_its_own_exit_code_whatever_the_number(bash: bool, run: Run) -> None:
    base = shell("/bin/bash") if bash else shell()
    for what, content in CAN.items():
        done = run({**base, **SCRIPTS, PYTHON: content})
        assert done.verdict.fault is Fault.EXIT_CODE, (what, done)


def test_a_program_that_is_not_there_is_no_start(run: Run, system: Files) -> None:
    done = run(system | SCRIPTS)
    assert (done.verdict.fault, "not in the image" in done.verdict.message) == (Fault.NO_START, True), done
    bare = run({"etc/motd": b"hello"})
    assert bare.verdict.fault is Fault.NO_START, bare
    assert run({"etc/motd": b"hello"}, call=None).verdict.fault is Fault.NO_START
