"""The settings of a training, from one TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from baseline_model.faults import TrainingError

DEFAULT_CONFIG = Path(__file__).with_name("train.toml")


@dataclass(frozen=True)
class PretrainConfig:
    """How the trunk is trained; the file says what each setting means."""

    steps: int
    batch: int
    rate: float
    decay: float
    keep_every: int
    cube: int
    hidden: tuple[float, float]


@dataclass(frozen=True)
class SegmentConfig:
    """How the networks of masks are trained."""

    steps: int
    batch: int
    rate: float
    decay: float
    keep_every: int


@dataclass(frozen=True)
class HeadsConfig:
    """How the linear heads are chosen."""

    folds: int
    repeats: int


@dataclass(frozen=True)
class TrainConfig:
    """All settings of a training."""

    seed: int
    device: str
    precision: str
    workers: int
    faulty: float
    pretrain: PretrainConfig
    segment: SegmentConfig
    heads: HeadsConfig

    def torch_device(self) -> torch.device:
        """Where the networks are trained.

        Raises:
            TrainingError: a GPU is asked for, and there is none.
        """
        if self.device == "cuda" and not torch.cuda.is_available():
            raise TrainingError('device = "cuda" is asked for, and PyTorch finds no GPU')
        automatic = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(automatic if self.device == "auto" else self.device)

    def half(self) -> bool:
        """Whether the networks are trained in bfloat16."""
        return self.precision == "bfloat16" or (
            self.precision == "auto" and self.torch_device().type == "cuda"
        )


Section = TypeVar("Section", PretrainConfig, SegmentConfig, HeadsConfig)


def read_config(path: Path = DEFAULT_CONFIG) -> TrainConfig:
    """The settings in the TOML file `path`; each has to be there, and no other.

    Raises:
        TrainingError: the file cannot be read, or a setting is missing, unknown or out of its range.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: is not TOML ({error})") from None
    try:
        sections: dict[str, Any] = {
            "pretrain": _section(PretrainConfig, given.pop("pretrain", {}), "pretrain."),
            "segment": _section(SegmentConfig, given.pop("segment", {}), "segment."),
            "heads": _section(HeadsConfig, given.pop("heads", {}), "heads."),
        }
        _check_names({field.name for field in fields(TrainConfig)} - set(sections), given, "")
        config = TrainConfig(**given, **sections)
        _check(config)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error}") from None
    return config


def _section(kind: type[Section], given: Any, prefix: str) -> Section:
    if not isinstance(given, Mapping):
        raise TrainingError(f"{prefix.rstrip('.')} is not a section")
    _check_names({field.name for field in fields(kind)}, given, prefix)
    values: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in given.items()
    }
    return kind(**values)


def _check_names(known: set[str], given: Mapping[str, Any], prefix: str) -> None:
    if missing := sorted(known - set(given)):
        raise TrainingError(f"the setting {prefix}{missing[0]} is missing")
    if unknown := sorted(set(given) - known):
        raise TrainingError(f"there is no setting {prefix}{unknown[0]}")


_CHOICES: dict[str, tuple[Any, ...]] = {
    "device": ("auto", "cpu", "cuda"),
    "precision": ("auto", "float32", "bfloat16"),
    "cube": (2, 4, 8),
}
_FROM = {"seed": 0, "workers": 0, "folds": 2}  # the least; of other whole numbers it is 1


def _check(config: TrainConfig) -> None:
    for name, value in _flat(asdict(config)):
        last = name.rpartition(".")[2]
        if last in _CHOICES:
            fits = value in _CHOICES[last]
        elif last == "hidden":
            fits = _is_range(value)
        elif last in ("rate", "decay", "faulty"):
            fits = _is_number(value) and 0 <= value <= 1 and not (last == "rate" and value == 0)
        else:
            fits = type(value) is int and value >= _FROM.get(last, 1)
        if not fits:
            raise TrainingError(f"{name} = {value!r} is out of its range")


def _flat(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in given.items():
        nested = isinstance(value, Mapping)
        rows += [(f"{name}.{inner}", one) for inner, one in value.items()] if nested else [(name, value)]
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(value: Any) -> bool:
    if not isinstance(value, tuple) or len(value) != 2 or not all(map(_is_number, value)):
        return False
    return bool(0 < value[0] <= value[1] < 1)
