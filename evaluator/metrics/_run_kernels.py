"""The loops that find connected components, for `compiled` as those of `_kernels`: by runs of set voxels along a row.

Runs are numbered in the order of the array, and components by their first runs, which is how scipy numbers them. Every
plane has one row more than voxels, without runs, so that the row before the first and the one after the last have none.
"""

import numpy as np
from numpy.typing import NDArray

_Whole32 = NDArray[np.int32]
_Indices = NDArray[np.int64]


def trace(voxels: NDArray[np.uint8], ends: _Whole32, begins: _Indices) -> None:
    """List the runs of every row.

    Args:
        voxels: 0 and 1, shape (planes, rows, length).
        ends: receives the first voxel of each run and the one after its last; room for one entry more than these.
        begins: receives the number of each row's first run, and last that of all runs, shape (planes·(rows + 1) + 1,).
    """
    count = 0
    planes, rows, length = voxels.shape
    for i in range(planes):
        for j in range(rows):
            begins[i * (rows + 1) + j] = count >> 1
            row = voxels[i, j]
            held = np.uint8(0)
            for k in range(length):
                held = np.uint8(held | row[k])
            if held:
                # Where runs end is not foreseen: writing all and counting on costs no branch.
                before = np.uint8(0)
                for k in range(length):
                    ends[count] = k
                    count += row[k] != before
                    before = row[k]
                ends[count] = length
                count += before != 0
        begins[i * (rows + 1) + rows] = count >> 1
    begins[planes * (rows + 1)] = count >> 1


def unite(ends: _Whole32, begins: _Indices, plane: int, reach: _Indices, parents: _Whole32) -> None:
    """Lead every run to a lower one of its component, or to itself where it is the first.

    Args:
        ends: as `trace` gives them.
        begins: as `trace` gives them.
        plane: rows of a plane, with the empty one.
        reach: how many voxels further runs still touch, -1 where they never do: of the row before in the plane
            before, the row itself there, the row after there, and the row before in the own plane.
        parents: every run's own number, shape (runs,); receives the run that each leads to.
    """
    for row in range(len(begins) - 1):
        for way in range(4):
            more, other = reach[way], row - (plane + 1 - way if way < 3 else 1)
            if more < 0 or other < 0:
                continue
            near, stop = begins[other], begins[other + 1]
            for run in range(begins[row], begins[row + 1]):
                first, last = ends[2 * run] - more, ends[2 * run + 1] + more
                while near < stop and ends[2 * near + 1] <= first:
                    near += 1
                touching, root = near, parents[run]
                while parents[root] != root:
                    root = parents[root]
                while touching < stop and ends[2 * touching] < last:
                    theirs = parents[touching]
                    if theirs != root:
                        while parents[theirs] != theirs:
                            theirs = parents[theirs]
                        low, high = min(root, theirs), max(root, theirs)
                        parents[high] = parents[touching] = root = low
                    touching += 1
                parents[run] = root


def number(ends: _Whole32, begins: _Indices, parents: _Whole32, labels: _Whole32, sizes: _Indices) -> int:
    """Number the components from 1.

    Args:
        ends: as `trace` gives them.
        begins: as `trace` gives them.
        parents: as `unite` gives them; receives the number of each run's component.
        labels: zeros, shape (planes, rows, length); receives the number of each voxel's component.
        sizes: zeros, shape (runs,); receives the voxels of each component.

    Returns:
        the number of components.
    """
    count = 0
    planes, rows, _ = labels.shape
    for i in range(planes):
        for j in range(rows):
            line, row = labels[i, j], i * (rows + 1) + j
            for run in range(begins[row], begins[row + 1]):
                if parents[run] == run:
                    count += 1
                    own = count
                else:
                    own = parents[parents[run]]  # a lower run, which has its number
                parents[run] = own
                first, last = ends[2 * run], ends[2 * run + 1]
                sizes[own - 1] += last - first
                for k in range(first, last):
                    line[k] = own
    return count
