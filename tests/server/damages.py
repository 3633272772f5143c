"""Damages to folders in the FOMO layout, drawn from a seed: volumes, headers, bytes, tables, labels, layout."""

import gzip
import os
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from tests.server.phantoms import Phantom, mask, nifti, phantom, write
from tests.server.test_dataset_layouts import FOLDERS
from tests.server.test_dataset_tables import TABLES
from tests.server.test_dataset_volumes import MENDED, REFUSED

TASKS = ("task1", "task2", "task3", "task4", "task5", "task6")
Mutation = Callable[[random.Random, Phantom], None]


def volumes(made: Phantom) -> list[Path]:
    return sorted(path for path in made.root.rglob("*.nii.gz") if path.is_file())


def any_volume(chance: random.Random, made: Phantom) -> Path | None:
    found = volumes(made)
    return chance.choice(found) if found else None


def change_volume(chance: random.Random, made: Phantom) -> None:
    path = any_volume(chance, made)
    if path is not None:
        change = chance.choice([*MENDED.values(), *(one for one, _ in REFUSED.values())])
        with suppress(OSError, EOFError, struct.error, zlib.error):  # it was changed to something else before
            write(path, change(path.read_bytes()))


def change_header(chance: random.Random, made: Phantom) -> None:
    """Any byte of a header, and most of all those that are read."""
    path = any_volume(chance, made)
    if path is None:
        return
    try:
        raw = bytearray(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, zlib.error):
        return
    for _ in range(chance.randint(1, 6)):
        place = chance.choice([chance.randrange(352), chance.randrange(40, 124), chance.randrange(252, 348)])
        if place < len(raw):
            raw[place] = chance.choice([0, 1, 2, 3, 4, 63, 127, 128, 255, chance.randrange(256)])
    write(path, gzip.compress(bytes(raw), 1))


def change_bytes(chance: random.Random, made: Phantom) -> None:
    """Bytes of any file as they lie there."""
    files = sorted(path for path in made.root.rglob("*") if path.is_file() and not path.is_symlink())
    if not files:
        return
    path = chance.choice(files)
    content = bytearray(path.read_bytes())
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(4):
            case 0:
                del content[place:]
            case 1:
                content[place:place] = chance.randbytes(chance.randint(1, 4))
            case 2:
                del content[place : place + chance.randint(1, 5)]
            case _ if place < len(content):
                content[place] = chance.randrange(256)
    path.write_bytes(bytes(content))


CELLS = (
    *("", "n/a", "NaN", "F", "m", "male", "89+", "18-38", "-1", "0", "1e400", "nan", "45,5", "0x1F", "1_0", "٣"),
    *("sub-01", "sub-1", "01", "SUB-01", "sub_02", "ses-01", "a", "b", "c", "ç", '"', '""', '"a', "=1+1", " x "),
    *("a,b", "a;b", "\x00", "\x1b[0m", "\u2028", "\ufeff", "\ud7ff", "x" * 5000, "\v", "\x85", "\r"),
)  # fmt: skip


def change_rows(chance: random.Random, rows: list[list[str]]) -> None:
    row = chance.choice(rows)
    match chance.randrange(7):
        case 0:
            row[chance.randrange(len(row))] = chance.choice(CELLS)
        case 1 if len(row) > 1:
            row.pop(chance.randrange(len(row)))
        case 2:
            row.insert(chance.randrange(len(row) + 1), chance.choice(CELLS))
        case 3:
            rows.append(list(row))
        case 4 if len(rows) > 1:
            rows.remove(row)
        case 5:
            for one in rows:
                one.append(chance.choice(CELLS))
        case _:
            chance.shuffle(rows)


def change_table(chance: random.Random, made: Phantom) -> None:
    if not made.table.is_file():
        return
    text = made.table.read_bytes().decode("utf-8", "replace")
    rows = [line.split("\t") for line in text.split("\n")]
    for _ in range(chance.randint(1, 3)):
        change_rows(chance, rows)
    separator = chance.choice(["\t"] * 8 + [",", ";", " ", "  ", "\t\t"])
    encoding = chance.choice(["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
    end = chance.choice(["\n"] * 6 + ["\r\n", "\r"])
    made.table.write_bytes(end.join(separator.join(row) for row in rows).encode(encoding, "replace"))


LABELS = (
    *("0", "1", "1.0", " 1\r\n", "0.5", "2", "-1", "", "nan", "inf", "1e999", "\ufeff1", "1 0", "١", "yes", "1" * 99),
)  # fmt: skip


def change_label(chance: random.Random, made: Phantom) -> None:
    files = sorted(made.root.glob("labels/*/*/*"))
    if not files:
        return
    path = chance.choice(files)
    if path.suffix == ".txt":
        path.write_text(chance.choice(LABELS))
    elif path.is_file():
        labels = mask(chance.choice([(0, 1), (0, 1, 2), (0, 2), (0,), (0, 9)]), chance.randrange(9))
        kind = chance.choice([np.uint8, np.int16, np.float32])
        content = nifti((labels * chance.choice([1, 1, 1, 0.5, 1.0000001])).astype(kind))
        write(path, content)


NAMES = (
    *("sub-01", "sub-1", "sub_01", "SUB-01", "ses-01", "ses_1", "ses-1", "x", "t1w.nii.gz", "t1.nii", "T1w.nii.gz"),
    *("label.txt", "labels.txt", "seg.nii.gz", "seg.nii", ".hidden", "ø", "a b", "a\nb", "\udcff", "-", "labels"),
    *("t2w.nii.gz", "flair.nii.gz", "swi.nii.gz", "participants.tsv", "preprocessed", "derivatives", "x" * 200),
)  # fmt: skip


def change_layout(chance: random.Random, made: Phantom) -> None:
    """Something is renamed, moved, copied, linked or removed."""
    paths = sorted(made.root.rglob("*"), key=os.fsencode)
    if not paths:
        return
    path = chance.choice(paths)
    target = chance.choice([path.parent, chance.choice(paths)]) / chance.choice(NAMES)
    inside = target == path or path in target.parents
    try:
        match chance.randrange(5):
            case 0 if not inside:
                path.rename(target)
            case 1 if not inside:
                (shutil.copytree if path.is_dir() else shutil.copy)(path, target)
            case 2:
                target.symlink_to(chance.choice([path, Path("gone"), target]))
            case 3 if not path.is_dir() or path.is_symlink():
                path.unlink()
            case _ if chance.random() < 0.3:
                target.mkdir()
    except OSError:
        pass  # the target is there, or is no folder


def change_as_known(chance: random.Random, made: Phantom) -> None:
    """One of the faults that have names in the other tests."""
    damage, *_ = chance.choice([*FOLDERS.values(), *TABLES.values()])
    with suppress(OSError, AssertionError, IndexError, ValueError):  # what it would damage is not there
        damage(made)


MUTATIONS: tuple[Mutation, ...] = (
    change_volume,
    change_header,
    change_bytes,
    change_table,
    change_label,
    change_layout,
    change_as_known,
)


def damaged(seed: int, root: Path, *, most: int) -> Phantom:
    """A folder with up to `most` damages, all drawn from the seed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    task = TASKS[seed % len(TASKS)]
    made = phantom(root, task, cases=chance.choice([4, 5, 6]), seed=seed)
    for _ in range(chance.randint(0, most)):
        chance.choice(MUTATIONS)(chance, made)
    return made
