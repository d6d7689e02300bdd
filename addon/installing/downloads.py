"""Downloads the locked wheels, a few at a time, each by a pip of its own: what is complete is kept, so a retry takes up there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from .children import Children
from .failures import why
from .locked import Locked, package_key
from .place import Place
from .reports import InstallError

AT_ONCE = 3  # pip takes a second to start, and a server gives one connection less than the line has
TICK_S = 0.3
SIZE = re.compile(r"Downloading \S+ \((?P<number>[\d.]+) (?P<unit>[kKMG]?B)\)")
UNITS = {"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9}
NEEDS_MORE = "torch"  # its CUDA build needs packages that no list names


@dataclass(slots=True)
class _UnderWay:
    package: Locked
    folder: Path
    total: float = 0.0  # bytes, as pip says; 0: it has not

    def hear(self, line: str) -> None:
        """Note how much it will be."""
        match = SIZE.search(line)
        if match is not None:
            self.total += float(match["number"]) * UNITS[match["unit"]]

    def text(self) -> str:
        """Say how far it is."""
        if self.total < 1e6:
            return self.package.name
        return (
            f"{self.package.name} ({min(self._arrived(), self.total) / 1e6:.0f} of {self.total / 1e6:.0f} MB)"
        )

    def _arrived(self) -> float:
        total = 0
        for path in self.folder.rglob("*.whl"):
            try:
                total += path.stat().st_size
            except OSError:  # moved meanwhile
                continue
        return float(total)


@dataclass(slots=True)
class Downloads:
    """Fetches wheels into `place.wheels` by the user's own pip configuration."""

    place: Place
    pip: Sequence[str]  # the command
    python: str  # version that the wheels are for
    children: Children
    tell: Callable[[str, float], None]
    _under_way: dict[str, _UnderWay] = field(default_factory=dict)
    _num: int = 0  # packages
    _done: int = 0

    def fetch(self, packages: Sequence[Locked]) -> None:
        """Fetch what is not there yet.

        Raises:
            InstallError: One could not be fetched; those that were complete stay.
        """
        self.place.wheels.mkdir(parents=True, exist_ok=True)
        here = wheels_in(self.place.wheels)
        left = [package for package in packages if (package.key, package.version) not in here]
        self._num, self._done = len(packages), len(packages) - len(left)
        alone = [package for package in left if package.key == NEEDS_MORE]  # after what it can find there
        for group in ([package for package in left if package not in alone], alone):
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="download") as pool:
                self._follow([pool.submit(self._fetch, package) for package in group])

    def _follow(self, futures: list[Future[None]]) -> None:
        pending = set(futures)
        while pending:
            ended, pending = wait(pending, TICK_S, FIRST_COMPLETED)
            self._done += len(ended)
            failed = next((future for future in ended if future.exception() is not None), None)
            if failed is not None:
                for future in pending:
                    future.cancel()
                self.children.end()
                failed.result()
            names = ", ".join(each.text() for each in list(self._under_way.values()))
            self.tell(
                f"Downloading {self._done} of {self._num}: {names}".rstrip(": "), self._done / self._num
            )

    def _fetch(self, package: Locked) -> None:
        self.children.check()
        folder = self.place.temporary / package.key
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        requirement = folder / "requirement.txt"
        requirement.write_text(f"{package.line}\n", encoding="utf-8")
        found = folder / "complete"
        more = ["--find-links", str(self.place.wheels)] if package.key == NEEDS_MORE else ["--no-deps"]
        command = [
            *self.pip,
            "download",
            "--only-binary=:all:",
            *more,
            "-d",
            str(found),
            "-r",
            str(requirement),
        ]
        self._under_way[package.key] = under_way = _UnderWay(package, folder)
        try:
            code, output = self.children.run(command, folder / "temporary", under_way.hear)
            if code != 0:
                what = f"{package.name} {package.version}"
                raise InstallError(why(output, what, str(self.place.folder), self.python))
            for wheel in found.glob("*.whl") if found.exists() else ():
                wheel.replace(self.place.wheels / wheel.name)
        finally:
            del self._under_way[package.key]
            shutil.rmtree(folder, ignore_errors=True)


def wheels_in(folder: Path) -> set[tuple[str, str]]:
    """Give the packages and versions whose wheels are in a folder, less a build's own part (`+cpu`)."""
    parts = (path.name.split("-") for path in folder.glob("*.whl"))
    return {(package_key(part[0]), part[1].partition("+")[0]) for part in parts if len(part) >= 5}
