"""NIfTI-1 files with numpy alone: importing nibabel would cost each container more than its whole computation.

Only what the challenge's inputs need: one gzip file, three dimensions, an affine in the sform or a plain grid.
"""

import gzip
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_DTYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_VOXELS = 352


@dataclass(frozen=True)
class Nifti:
    """A file: its header's 348 bytes, the voxels as stored (scaled), and the 4×4 affine to millimetres."""

    header: bytes
    data: NDArray[np.float32]
    affine: NDArray[np.float64]

    @property
    def order(self) -> list[int]:
        """The stored axis that runs most along right, anterior and superior."""
        axes: list[int] = []
        for world in range(3):
            along = np.abs(self.affine[world, :3])
            axes.append(max((axis for axis in range(3) if axis not in axes), key=lambda axis: along[axis]))
        return axes

    @property
    def flips(self) -> tuple[int, ...]:
        """The canonical axes that are stored the other way round."""
        return tuple(world for world, axis in enumerate(self.order) if self.affine[world, axis] < 0)

    @property
    def spacing(self) -> NDArray[np.float64]:
        """Voxel size in mm along right, anterior and superior."""
        size = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return np.array([size[axis] for axis in self.order])

    def canonical(self) -> NDArray[np.float32]:
        """The voxels with axes right, anterior, superior."""
        return np.flip(self.data.transpose(self.order), self.flips)

    def stored(self, canonical: NDArray[Any]) -> NDArray[Any]:
        """An array in canonical axes turned into the file's own."""
        return np.flip(canonical, self.flips).transpose(np.argsort(self.order))


def load(path: Path) -> Nifti:
    """The image in a gzipped NIfTI-1 file."""
    raw = gzip.decompress(path.read_bytes())
    end = _byte_order(raw)
    dims = struct.unpack_from(f"{end}8h", raw, 40)
    shape = dims[1:4]
    code = struct.unpack_from(f"{end}h", raw, 70)[0]
    offset, slope, intercept = struct.unpack_from(f"{end}3f", raw, 108)
    count = int(np.prod(shape))
    voxels = np.frombuffer(raw, np.dtype(_DTYPES[code]).newbyteorder(end), count, int(offset))
    data = voxels.reshape(shape, order="F").astype(np.float32)
    if slope not in (0.0, 1.0) or intercept != 0.0:
        data = data * np.float32(slope or 1.0) + np.float32(intercept)
    return Nifti(raw[:348], data, _affine(raw, end))


def _byte_order(raw: bytes) -> Literal["<", ">"]:
    return "<" if struct.unpack_from("<i", raw)[0] == 348 else ">"


def _affine(raw: bytes, end: str) -> NDArray[np.float64]:
    if struct.unpack_from(f"{end}h", raw, 254)[0] > 0:
        rows = np.array(struct.unpack_from(f"{end}12f", raw, 280)).reshape(3, 4)
        return np.vstack([rows, [0, 0, 0, 1]])
    return np.diag([*struct.unpack_from(f"{end}3f", raw, 80), 1.0])


def save_labels(labels: NDArray[np.uint8], like: Nifti, path: Path) -> None:
    """Writes labels in canonical axes as unsigned bytes, in the orientation and with the affine of `like`."""
    stored = like.stored(labels).astype(np.uint8)
    end = _byte_order(like.header)
    header = bytearray(like.header)
    struct.pack_into(f"{end}hh", header, 70, 2, 8)
    struct.pack_into(f"{end}3f", header, 108, float(_VOXELS), 1.0, 0.0)
    path.write_bytes(gzip.compress(bytes(header) + bytes(4) + stored.tobytes(order="F"), 1))
