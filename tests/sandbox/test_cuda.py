"""What an image asks of an NVIDIA driver is read as NVIDIA's toolkit reads it, and compared with drivers."""

import io

import pytest

from contract.cuda import OLDER, GpuDriver, by_major, required, told, too_new
from contract.images import ImageFacts
from sandbox.archive import HashOnly, check_archive
from sandbox.hints import CUDA
from tests.sandbox import sifs
from tests.sandbox.archives import config, legacy, pack, tar

# As NVIDIA's own images of CUDA 12.4 have it, with fewer brands.
STOCK = (
    "cuda>=12.4 brand=tesla,driver>=470,driver<471 brand=geforce,driver>=470,driver<471 "
    "brand=tesla,driver>=535,driver<536 brand=geforce,driver>=535,driver<536"
)
KEPT = "cuda>=12.4 driver>=470,driver<471 driver>=535,driver<536"
SCRIPT = ".singularity.d/env/10-docker2singularity.sh"


class Nowhere:
    """A sink that keeps nothing."""

    def has(self, digest: str) -> bool:
        return False

    def writer(self) -> HashOnly:
        return HashOnly()


READ: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "NVIDIA's own": ({"NVIDIA_REQUIRE_CUDA": STOCK, "CUDA_VERSION": "12.4.1"}, (KEPT,)),
    "a version alone": ({"CUDA_VERSION": "12.4.1"}, ("cuda>=12.4",)),
    "a version and an empty requirement": (
        {"CUDA_VERSION": "v11.8.0", "NVIDIA_REQUIRE_CUDA": ""},
        ("cuda>=11.8",),
    ),
    "a major version": ({"CUDA_VERSION": "12"}, ("cuda>=12.0",)),
    "several": (
        {"NVIDIA_REQUIRE_DRIVER": "driver>=550", "NVIDIA_REQUIRE_CUDA": "cuda>=9.0"},
        ("cuda>=9.0", "driver>=550"),
    ),
    "in capitals": ({"NVIDIA_REQUIRE_CUDA": "CUDA>=12.4"}, ("cuda>=12.4",)),
    "gaps": ({"NVIDIA_REQUIRE_CUDA": " ,cuda>=12.4,  "}, ("cuda>=12.4",)),
    "with a brand": ({"NVIDIA_REQUIRE_CUDA": "cuda>=13,brand=tesla"}, ("cuda>=13",)),
    "any GPU of a brand": ({"NVIDIA_REQUIRE_CUDA": "cuda>=13 brand=tesla"}, ()),
    "Tegra's": ({"NVIDIA_REQUIRE_JETPACK": "csv-mounts=all"}, ()),
    "what the toolkit does not know": ({"NVIDIA_REQUIRE_CUDA": "cuda>=12.4 colour=green"}, ()),
    "an operator that is none": ({"NVIDIA_REQUIRE_CUDA": "cuda=>12.4"}, ()),
    "a version that is none": ({"NVIDIA_REQUIRE_CUDA": "cuda>=twelve"}, ()),
    "a secret": ({"NVIDIA_REQUIRE_TOKEN": "hunter2"}, ()),
    "no version": ({"CUDA_VERSION": "latest"}, ()),
    "more than anybody writes": ({"NVIDIA_REQUIRE_CUDA": "cuda>=12.4 " * 5000}, ()),
    "more alternatives than are kept": (
        {"NVIDIA_REQUIRE_CUDA": " ".join(f"cuda>={number}.4" for number in range(100))},
        (),
    ),
    "nothing": ({"PATH": "/bin"}, ()),
}


@pytest.mark.parametrize(("environment", "kept"), READ.values(), ids=READ)
def test_requirements_are_read_as_the_toolkit_reads_them(
    environment: dict[str, str], kept: tuple[str, ...]
) -> None:
    assert required(environment) == kept
    assert required({"NVIDIA_REQUIRE_CUDA": kept[0]} if kept else {}) == kept[:1], "and can be read again"


HELD: dict[str, tuple[str, GpuDriver]] = {
    "the same": ("cuda>=12.4", GpuDriver("12.4")),
    "a newer one": ("cuda>=12.4", GpuDriver("12.10")),
    "a newer major version": ("cuda>=12.4", GpuDriver("13.0")),
    "with zeros": ("cuda>=12.0.0", GpuDriver("12")),
    "a driver for which NVIDIA's own images bring compatibility": (KEPT, GpuDriver("12.2", "535.104.05")),
    "a driver of which only its CUDA is known": (KEPT, GpuDriver("12.3")),
    "another one": ("cuda!=12.1", GpuDriver("12.2")),
}


@pytest.mark.parametrize(("requirement", "driver"), HELD.values(), ids=HELD)
def test_nothing_is_said_where_a_driver_holds_it(requirement: str, driver: GpuDriver) -> None:
    assert too_new([requirement], [driver], "the driver goes") is None


LACKING: dict[str, tuple[tuple[str, ...], GpuDriver, str]] = {
    "an older one": (("cuda>=13.0",), GpuDriver("12.8"), "asks for CUDA 13.0 or newer,"),
    "a driver between those of NVIDIA's own images": (
        (KEPT,),
        GpuDriver("12.3", "545.23"),
        "CUDA 12.4 or newer",
    ),
    "newer than": (("cuda>12.8",), GpuDriver("12.8"), "CUDA newer than 12.8"),
    "that very one": (("cuda=13.0",), GpuDriver("12.8"), "CUDA 13.0"),
    "the driver itself": (("driver>=580",), GpuDriver("12.8", "570.124"), "up to CUDA 12.8 (driver 570.124)"),
    "both": (("cuda>=12.9,driver>=575",), GpuDriver("12.8"), "CUDA 12.9 or newer and driver 575 or newer"),
    "the second of two": (("cuda>=9.0", "driver>=580"), GpuDriver("12.8", "570"), "driver 580 or newer"),
}


@pytest.mark.parametrize(("requirements", "driver", "said"), LACKING.values(), ids=LACKING)
def test_a_driver_that_is_too_old_is_said(
    requirements: tuple[str, ...], driver: GpuDriver, said: str
) -> None:
    sentence = too_new(requirements, [driver], "the driver of this machine goes")
    assert sentence is not None
    assert said in sentence
    assert "the driver of this machine goes up to CUDA" in sentence
    assert "It is not refused" in sentence
    assert "cuda-compat" in sentence


def test_one_driver_that_holds_all_is_enough_and_the_newest_is_named() -> None:
    old, newer = GpuDriver("12.2", "545.1"), GpuDriver("12.10", "570.1")
    assert too_new(["cuda>=12.8"], [newer, old], "they go") is None
    sentence = too_new(["cuda>=13.0"], [newer, old], "they go")
    assert sentence is not None
    assert "up to CUDA 12.10." in sentence
    apart = too_new(["cuda>=12.4", "driver>=540,driver<550"], [newer, old], "they go")
    assert apart is None, "what the newest lacks is an older driver"


def test_nothing_is_said_without_a_driver_or_of_an_image_that_asks_for_an_older_one() -> None:
    assert too_new(["cuda>=13.0"], [], "they go") is None
    assert too_new([], [GpuDriver("11.0")], "they go") is None
    assert too_new(["cuda<12.0"], [GpuDriver("12.8")], "they go") is None


def test_where_nothing_refuses_to_start_it_the_major_version_counts() -> None:
    assert by_major((KEPT, "cuda>=10.2")) == (KEPT.replace("12.4", "12"), "cuda>=10.2")
    assert too_new(by_major(["cuda>=12.8"]), [GpuDriver("12.1")], "they go") is None
    assert too_new(by_major(["cuda>=13.1"]), [GpuDriver("12.8")], "they go") is not None


def test_a_driver_that_does_not_know_its_version_tells_none() -> None:
    assert [told(said) for said in ("570.124.06", "12.8", "[N/A]", "", "12.8\n")] == [
        "570.124.06",
        "12.8",
        None,
        None,
        None,
    ]


def test_the_hint_on_a_log_names_the_same_remedy() -> None:
    sentence = too_new(["cuda>=13.0"], [GpuDriver("12.8")], "they go")
    assert OLDER in CUDA
    assert OLDER in str(sentence)


def checked(content: bytes) -> ImageFacts:
    return check_archive(io.BytesIO(content), limit=2**30, sink=Nowhere())


def test_the_check_of_an_archive_finds_it() -> None:
    layer = tar(("app/model.pt", b"weights"))
    variables = [f"NVIDIA_REQUIRE_CUDA={STOCK}", "CUDA_VERSION=12.4.1", "TOKEN=hunter2"]
    facts = checked(pack(legacy(layer, image=config(layer, config={"Env": variables}))))
    assert facts.requires_driver == (KEPT,)
    assert checked(pack(legacy(layer, image=config(layer)))).requires_driver == ()


def built(script: bytes | None) -> ImageFacts:
    """The facts of a SIF file that `apptainer build` made of a Docker image with these variables."""
    files: dict[str, bytes | str] = {"bin/python": b"#!/bin/sh\n"}
    if script is not None:
        files[SCRIPT] = script
    return checked(sifs.sif(sifs.partition(sifs.squashfs(files))))


def test_the_check_of_a_sif_file_finds_that_of_its_docker_image_by_the_major_version() -> None:
    lines = [
        "#!/bin/sh",
        'export PATH="/usr/local/cuda/bin:/bin"',
        f'export NVIDIA_REQUIRE_CUDA="${{NVIDIA_REQUIRE_CUDA:-"{STOCK}"}}"',
        'export CUDA_VERSION="${CUDA_VERSION:-"12.4.1"}"',
        'export EMPTY="${EMPTY:-}"',
    ]
    assert built("\n".join([*lines, ""]).encode()).requires_driver == (KEPT.replace("12.4", "12"),)
    alone = "\n".join(lines[3:]).encode() + b"\n"
    assert built(alone).requires_driver == ("cuda>=12",)


@pytest.mark.parametrize("script", [None, b"", b"\xff\xfe", b"export CUDA_VERSION=13.0\n", b"$(reboot)\n"])
def test_a_sif_file_that_was_made_otherwise_asks_for_nothing(script: bytes | None) -> None:
    assert built(script).requires_driver == ()
