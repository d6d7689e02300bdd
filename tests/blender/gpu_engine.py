"""The engine with a GPU that is the host: the tests' driver runs the kernels, and is lost at a sample that is told.

Started in the place of the engine's Python: `gpu_engine.py -m engine VERB ...`, in the extension's folder.
"""

import os
import runpy
import sys
from pathlib import Path

sys.path[:1] = [str(Path.cwd()), str(Path(__file__).resolve().parents[2])]

LOST_AT = "FAKE_GPU_LOST_AT"


def main():
    from engine.cuda import choose
    from tests.cuda import fake_driver

    class Device(fake_driver.FakeDevice):
        def launch(self, kernel, *arguments):
            samples = [name for name, *_ in self.launches].count("begin_pixels")
            if kernel == "begin_pixels" and samples + 1 == int(os.environ[LOST_AT]):
                self.lost_at = len(self.launches)
            super().launch(kernel, *arguments)

    device = Device(fake_driver.info())
    session = fake_driver.session(device)
    choose._opened = lambda: session
    sys.argv = ["engine", *sys.argv[3:]]
    runpy.run_module("engine", run_name="__main__", alter_sys=True)


main()
