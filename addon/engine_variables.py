"""The environment variables that engine processes begin with."""

from __future__ import annotations

from .installing.pythons import clean_environment

GPU_VARIABLE = "NEURAL_IMPLICIT_GPU"
_chosen_gpu = ""  # by the preferences


def choose_gpu(name: str) -> None:
    """Name the GPU, by number or a part of its name, of engines that start from now on; empty: they choose.

    The variable of Blender's own environment goes before it.
    """
    global _chosen_gpu
    _chosen_gpu = name.strip()


def engine_environment() -> dict[str, str]:
    """Give Blender's own variables without those that would confuse another Python, and with the chosen GPU."""
    variables = clean_environment()
    if _chosen_gpu:
        variables.setdefault(GPU_VARIABLE, _chosen_gpu)
    variables.update(PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8")
    return variables
