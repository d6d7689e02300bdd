"""Errors that a user can act on; each has a `code` that crosses the process boundary.

A message says what is wrong and what to do. Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations


class EngineError(Exception):
    """Something the user can put right; the message says what and how."""

    code = "engine"


class OptionError(EngineError):
    """An option has a value outside its range."""

    code = "option"


class MeshFileError(EngineError):
    """A mesh file is missing, empty, truncated or of an unknown kind."""

    code = "mesh_file"


class MeshError(EngineError):
    """A mesh holds nothing that a signed distance can be taken from."""

    code = "mesh"


class WeightsFileError(EngineError):
    """A weights file is missing, damaged, hostile or newer than this version reads."""

    code = "weights_file"


class OutputError(EngineError):
    """A result could not be written."""

    code = "output"


class FitError(EngineError):
    """Training did not give a usable shape."""

    code = "fit"


class ProtocolError(EngineError):
    """The other process sent something this version does not understand."""

    code = "protocol"


class DeviceError(EngineError):
    """A device or a package that the request needs is not there."""

    code = "device"


class SceneError(EngineError):
    """A scene names data that is missing or damaged, or a number in it is impossible."""

    code = "scene"


class CheckpointError(EngineError):
    """A checkpoint is damaged or belongs to another run."""

    code = "checkpoint"
