"""What went wrong when pip failed, from what it printed. `requirements/environments.py` reads it the same way."""

from __future__ import annotations

import re

NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ConnectionResetError|Max retries exceeded"
    r"|Connection refused|Network is unreachable|connection broken|ProxyError"
)
CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed")
DISK = re.compile(r"No space left on device|Errno 28|ENOSPC|Disk quota exceeded")
BROKEN_DOWNLOAD = re.compile(
    r"IncompleteRead|ReadTimeout|Read timed out|incomplete-download|not enough bytes|Connection aborted"
)
HASH = re.compile(r"DO NOT MATCH THE HASHES|HashMismatch|Expected sha256")
DAMAGED = re.compile(
    r"BadZipFile|Wheel .* is invalid|has an invalid wheel|is not a zip file|not a supported wheel"
)
ABSENT = re.compile(
    r"No matching distribution found for (?P<what>\S+)|Could not find a version that satisfies the requirement (?P<name>\S+)"
)
AGAIN = "Press Install Engine again; it goes on where it stopped."


def why(output: str, what: str, place: str = "", python: str = "", offline: bool = False) -> str:
    """Say why pip failed, and what to do.

    Args:
        output: All that it printed.
        what: What it was to do, as the start of a sentence: "click 8.5.1", "The environment".
        place: The folder that it wrote to.
        python: Version of the Python it is for.
        offline: It had a folder of wheels and no index.
    """
    if DISK.search(output):
        return f"The disk is full: {place or 'the folder of the engine'}. Free some space there. {AGAIN}"
    if HASH.search(output):
        return (
            f"{what}: the download broke off, or was changed on its way: its checksum is not the one that was announced, so it "
            f"was not used. {AGAIN}"
        )
    if CERTIFICATE.search(output):
        return (
            f"pip does not trust the certificate of its package index for {what}: a proxy of your network signs it, perhaps. Set "
            "the variable PIP_CERT to a file with that proxy's certificate and start Blender again, or choose a folder of "
            f"wheels. {AGAIN}"
        )
    if NETWORK.search(output):
        return f"No network: pip cannot reach its package index for {what}. Connect, or choose a folder of wheels. {AGAIN}"
    if BROKEN_DOWNLOAD.search(output):
        return f"{what}: the download broke off. {AGAIN}"
    absent = ABSENT.search(output)
    if absent is not None:
        named = (absent["what"] or absent["name"]).rstrip(".,")
        if offline:
            return (
                f"{what}: the folder of wheels lacks {named} for Python {python} on this computer. Download its wheel into the "
                "folder, and press Install Engine again."
            )
        return (
            f"{what}: pip's package index has no {named} for Python {python} on this computer. Choose another Python, 3.11 "
            "to 3.13, in Install Engine."
        )
    if DAMAGED.search(output):
        return f"{what}: the wheel is damaged. {AGAIN}"
    errors = [line.strip() for line in output.splitlines() if line.strip().lower().startswith("error")]
    reason = (
        errors or [line for line in output.splitlines() if line.strip()][-1:] or ["it printed nothing"]
    )[0]
    return f"{what} cannot be installed: {reason.removeprefix('ERROR: ').rstrip('.')}."
