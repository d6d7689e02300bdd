"""From a mesh file to a weights file: reads, checks, fits, measures, tries again where a fit failed, and writes.

A user asks for a preset, for an error (the smallest network that meets it) or for a size (the best within it).
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path

from ..ground_truth.mesh import check_mesh, to_unit
from ..ground_truth.mesh_files import load_mesh
from ..ground_truth.sign_doctor import examine
from ..ground_truth.signed_distance import use_device
from ..protocol.messages import Converted, Message
from .announcer import Announcer, save_result
from .attempts import notes_of
from .fit_job import FitJob
from .options import ConvertOptions
from .report import conversion_report
from .results import check_all_writable, closing_message

log = logging.getLogger(__name__)


def convert(source: Path, options: ConvertOptions, tell: Callable[[Message], None]) -> Converted:
    """Convert one file.

    Args:
        source: The mesh file.
        options: What to make and where to put it.
        tell: Gets `Progress` and `Snapshot` as they come; may raise to stop the job.

    Returns:
        The closing message; the output file is final.

    Raises:
        EngineError: The mesh, an option, the output folder or the fit is at fault.
    """
    start = time.monotonic()
    outputs = options.outputs
    check_all_writable((options.output, options.report, options.proxy, outputs.checkpoint, outputs.plot))
    announcer = Announcer(tell, options.fit.num_steps)
    loaded = announcer.during("reading", 0.0, lambda: load_mesh(source))
    mesh = announcer.during("checking", 0.02, lambda: check_mesh(loaded))
    use_device(options.fit.device)
    diagnosis = announcer.during("checking", 0.03, lambda: examine(to_unit(mesh), options.threads))
    announcer.phase("sampling", 0.04)
    job = FitJob(mesh, diagnosis, options, announcer)
    best, attempts = job.run()
    announcer.phase("writing", 0.99)
    num_bytes = save_result(best.weights, options.output, options.proxy)
    if options.reconstruct is not None:
        from ..meshing.mesh_out import save_mesh  # marching cubes, only where a mesh is asked for

        mesh_path, cells = options.output.with_suffix(".ply"), options.reconstruct
        announcer.during("writing", 0.99, lambda: save_mesh(best.weights, cells, mesh_path))
    warnings = (
        *mesh.warnings,
        *diagnosis.warnings,
        *notes_of(best, attempts),
    )
    seconds = time.monotonic() - start
    report = conversion_report(best, attempts, diagnosis, options.preset)
    report |= {"epochs": [dataclasses.asdict(record) for record in job.history]} if job.history else {}
    log.info("converted %s in %.1f s, surface error %.2e", mesh.name, seconds, best.errors["surface_mean"])
    return closing_message(options, report, num_bytes, seconds, warnings)
