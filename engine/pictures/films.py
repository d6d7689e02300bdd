"""Pictures one after the other as numbered PNGs, a GIF, or a video where ffmpeg is found."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DeviceError, OutputError
from ..protocol.weights import write_atomically
from ..transforms import Array

VIDEO_KINDS = (".mp4", ".webm", ".mkv")
KINDS = (".png", ".gif", *VIDEO_KINDS)
GIF_COLORS = 255


class Film:
    """Takes 8-bit pictures (h, w, 3 or 4), top row first; `close` writes what is left."""

    def __init__(self, path: Path, rate: float) -> None:
        """Prepare a film of `rate` pictures a second.

        Raises:
            OutputError: The kind is unknown.
            DeviceError: It is a video, and there is no ffmpeg.
        """
        check_kind(path)
        self._path, self._rate = path, rate
        self._count = 0
        self._images: list[Image.Image] = []
        self._ffmpeg: subprocess.Popen[bytes] | None = None

    def add(self, picture: Array) -> Path | None:
        """Add a picture; give the file it went to, where it has one of its own."""
        self._count += 1
        image = Image.fromarray(np.ascontiguousarray(picture))
        kind = self._path.suffix.lower()
        if kind == ".png":
            path = self._path.with_name(f"{self._path.stem}_{self._count:04d}.png")
            write_atomically(path, _encoded(image))
            return path
        if kind == ".gif":
            self._images.append(_paletted(image))
        else:
            self._to_ffmpeg(picture[..., :3])
        return None

    def save_one(self, picture: Array) -> None:
        """Write one picture as the file itself."""
        write_atomically(self._path, _encoded(Image.fromarray(np.ascontiguousarray(picture))))

    def close(self) -> None:
        """Write what is left.

        Raises:
            OutputError: It cannot be written.
        """
        if self._images:
            write_atomically(self._path, self._gif())
        if self._ffmpeg is not None:
            _, errors = self._ffmpeg.communicate()
            if self._ffmpeg.returncode != 0:
                last = errors.decode(errors="replace").strip().splitlines()[-1:]
                raise OutputError(
                    f"{self._path} cannot be written: ffmpeg says {''.join(last) or 'nothing'}."
                )

    def _gif(self) -> bytes:
        stream = io.BytesIO()
        first, *rest = self._images
        duration = max(20, round(1000.0 / self._rate))
        first.save(stream, "GIF", save_all=True, append_images=rest, duration=duration, loop=0, disposal=2)
        return stream.getvalue()

    def _to_ffmpeg(self, picture: Array) -> None:
        height, width = picture.shape[:2]
        if self._ffmpeg is None:
            size = f"{width}x{height}"
            command = ["ffmpeg", "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size]
            command += ["-r", str(self._rate), "-i", "-", "-pix_fmt", "yuv420p"]
            command += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", str(self._path)]  # yuv420p needs even sides
            self._ffmpeg = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        assert self._ffmpeg.stdin is not None
        try:
            self._ffmpeg.stdin.write(np.ascontiguousarray(picture).tobytes())
        except BrokenPipeError:  # it has ended; `close` says why
            return


def check_kind(path: Path) -> None:
    """Refuse what cannot be made.

    Raises:
        OutputError: The kind is unknown.
        DeviceError: It is a video, and there is no ffmpeg.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise OutputError(f"{path.name} is of an unknown kind. Several pictures go to {', '.join(KINDS)}.")
    if kind in VIDEO_KINDS and shutil.which("ffmpeg") is None:
        raise DeviceError(f"A video ({kind}) needs the program ffmpeg, which is not here. Use .gif or .png.")


def _encoded(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


def _paletted(image: Image.Image) -> Image.Image:
    """Give an image of 255 colours, and one that is transparent where half of a pixel is."""
    if image.mode != "RGBA":
        return image.quantize(GIF_COLORS, dither=Image.Dither.FLOYDSTEINBERG)
    alpha = np.asarray(image)[..., 3]
    solid = image.convert("RGB").quantize(GIF_COLORS)
    solid.paste(GIF_COLORS, mask=Image.fromarray((alpha < 128).astype(np.uint8) * 255))
    solid.info["transparency"] = GIF_COLORS
    return solid
