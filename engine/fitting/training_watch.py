"""What a run in epochs leaves behind while it goes on: numbered weights, a plot, a log for TensorBoard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DeviceError
from ..protocol.weights import NeuralWeights, write_atomically
from .epochs import EpochRecord
from .loss_plot import loss_plot
from .training_options import TrainingOutputs

FloatArray = npt.NDArray[np.floating[Any]]


class TrainingWatch:
    """Writes what `TrainingOutputs` asks for after each epoch."""

    def __init__(
        self, outputs: TrainingOutputs, output: Path, weights_of: Callable[[FloatArray], NeuralWeights]
    ) -> None:
        """Take where the weights of the whole run go, and what makes weights of parameters.

        Raises:
            DeviceError: A log is asked for, and TensorBoard is not installed.
        """
        self._outputs, self._output, self._weights_of = outputs, output, weights_of
        self._log: Any = None
        self._logged = 0
        if outputs.log is not None:
            self._log = _log_writer(outputs.log)

    def epoch_done(self, history: Sequence[EpochRecord], parameters: FloatArray) -> None:
        """Write what is due.

        Raises:
            OutputError: A file cannot be written.
        """
        latest = history[-1]
        if self._outputs.snapshots and latest.epoch % self._outputs.snapshots == 0:
            self._weights_of(parameters).save(numbered(self._output, latest.epoch))
        if self._outputs.plot is not None:
            write_atomically(self._outputs.plot, loss_plot(history))
        if self._log is not None:
            for record in history[self._logged :]:
                for name, value in _scalars(record).items():
                    self._log.add_scalar(name, value, record.epoch)
            self._logged = len(history)
            self._log.flush()

    def close(self) -> None:
        """End the log."""
        if self._log is not None:
            self._log.close()


def numbered(output: Path, epoch: int) -> Path:
    """Give the file that keeps the weights after an epoch."""
    return output.with_name(f"{output.stem}_{epoch:04d}{output.suffix}")


def _scalars(record: EpochRecord) -> dict[str, float]:
    scalars = {"loss": record.loss, "learning_rate": record.learning_rate}
    return scalars if record.validation is None else scalars | {"validation": record.validation}


def _log_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise DeviceError(
            "A log for TensorBoard needs its package in the engine's environment: pip install tensorboard."
        ) from error
    return SummaryWriter(str(folder))
