"""Launches of the certifying kernel: proven bounds on a network in cells, some tens of thousands at a time.

Between two launches the session is free, so a picture never waits for more than one of them. After each, some cells' centres
are compared with the network in float64: a GPU that computes wrong is not believed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..tracing.certified_activations import ERROR, LARGEST
from ..tracing.certified_bounds import ENLARGE
from ..tracing.certified_network import CertifiedNetwork
from . import layouts
from .errors import DeviceLostError
from .network_data import ACTIVATION_CODES
from .session import CudaSession

Array = npt.NDArray[Any]
WARPS = 4  # of a block: the kernel's launch bounds
CELLS_AT_ONCE = 1 << 16  # of a launch
MOST_SCRATCH = 1 << 30  # bytes
NUM_CHECKED = 64  # cells of a launch
PARTS = 10  # of an expansion
KEPT = 5  # numbers of each unit


def warp_floats(width: int, size: int, depth: int) -> int:
    """Give a warp's floats of scratch: 32 cells, and |P|, slopes, units and inputs of their reference (certify.cuh)."""
    units = depth * width
    cell = size * (PARTS + 5) + width * (2 * PARTS + 2) + units * (KEPT + 7) + 4 * max(width, size)
    sources = depth * size + width * (depth * (depth - 1) // 2)
    return layouts.LANES * cell + width * sources + units + 2 * width + size


class DeviceBounder:
    """Bounds one network in cells on the GPU (`certified_grid.Bounder`)."""

    def __init__(
        self, session: CudaSession, net: CertifiedNetwork, exact: Callable[[Array], Array] | None = None
    ) -> None:
        """Copy the network; `exact` gives its values (N,) at places (N, 3) before the output activation, in float64.

        Raises:
            DeviceMemoryError: It does not fit.
            DeviceLostError: The GPU works no more.
        """
        self._session, self._exact = session, exact
        depth, width, size = net.encoded.shape
        self._arguments = arguments = np.zeros(1, layouts.CERTIFY_ARGUMENTS)
        self._memory = []
        with session.lock:
            for name in ("hidden", "encoded", "biases", "last", "phases"):
                array = session.array(getattr(net, name))
                self._memory.append(array)
                arguments[name] = array.address
        activation, output = (int(code) for code in net.codes)
        for name, code in (("hidden_bounds", activation), ("sine_bounds", ACTIVATION_CODES["sine"])):
            arguments[name] = np.array((*LARGEST[code], ERROR[code]), layouts.ACTIVATION_BOUNDS)
        arguments["sees"] = sum(1 << k for k in range(depth) if net.sees[k])
        arguments["last_bias"], arguments["time"] = net.last_bias[0], net.inputs[1]
        arguments["width"], arguments["size"], arguments["depth"] = width, size, depth
        arguments["inputs"], arguments["features"] = int(net.inputs[0]), len(net.phases)
        arguments["activation"], arguments["output_activation"] = activation, output
        self._warp_floats = warp_floats(width, size, depth)
        arguments["warp_floats"] = self._warp_floats

    def __call__(self, references: Array, first: Array, centres: Array, half: float, *out: Array) -> None:
        """Fill values, radii, bounds (or (0, 6): not wanted) and errors of cells that lie in blocks.

        Raises:
            DeviceMemoryError: Not even one block of threads finds its scratch.
            DeviceLostError: The GPU works no more, or computes wrong.
        """
        self._arguments["half"] = np.float32(half * (1.0 + 1e-6) + ENLARGE)
        start = 0
        while start < len(references):
            fits = int(np.searchsorted(first, first[start] + CELLS_AT_ONCE, "right")) - 1
            stop = min(max(fits, start + 1), len(references))
            part = slice(first[start], first[stop])
            edges = (first[start : stop + 1] - first[start]).astype(np.int32)
            with self._session.lock:
                self._launch(references[start:stop], edges, centres[part], [array[part] for array in out])
            self._check(centres[part], out[0][part], out[1][part])
            start = stop

    def _check(self, centres: Array, values: Array, radii: Array) -> None:
        if self._exact is None:
            return
        few = slice(None, None, max(1, len(centres) // NUM_CHECKED))
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(self._exact(centres[few].astype(np.float64)) - values[few])
        if (apart > radii[few]).any():
            raise DeviceLostError(f"{self._session.device.info.name} gives wrong numbers where it proves")

    def _launch(self, references: Array, first: Array, centres: Array, out: list[Array]) -> None:
        session, arguments, count = self._session, self._arguments.copy(), len(centres)
        if count == 0:
            return
        given = {"references": references, "first": first, "centres": centres}
        memory = {name: session.array(array) for name, array in given.items()}
        wanted = dict(zip(("values", "radii", "bounds", "errors"), out))
        if not wanted["bounds"].size:
            del wanted["bounds"], wanted["errors"]
        memory |= {name: session.empty(array.nbytes) for name, array in wanted.items()}
        memory["queue"] = session.zeros(4)
        threads = layouts.LANES * WARPS
        blocks = session.resident_blocks("certify", "certify_cells", threads, 0)
        each = 4 * WARPS * self._warp_floats
        blocks = min(
            blocks, -(-len(references) // WARPS), min(MOST_SCRATCH, session.free_bytes() // 2) // each
        )
        blocks = max(1, blocks)
        memory["scratch"] = session.empty(each * blocks)
        for name, place in memory.items():
            arguments[name] = place.address
        arguments["num_blocks"] = len(references)
        session.launch("certify", "certify_cells", blocks, threads, 0, arguments)
        for name, array in wanted.items():
            array[...] = session.download(memory[name], array.shape, np.float32)
