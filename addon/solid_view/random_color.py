"""The colour that Solid shading gives an object in the colour mode Random, from its name.

Blender hashes the identifier with MurmurHash2 [Appleby 2008], mixes the result [Jenkins 2006], and takes it as a hue.

[Appleby 2008] A. Appleby, MurmurHash2. [Jenkins 2006] B. Jenkins, lookup3.c, `final`.
"""

from __future__ import annotations

import colorsys

MASK = 0xFFFFFFFF
SATURATION, BRIGHTNESS = 0.5, 0.8


def random_color(name: str) -> tuple[float, float, float]:
    """Give the colour of an object by its name."""
    hashed = _murmur(b"OB" + name.encode() + b"\0")
    return colorsys.hsv_to_rgb(_mixed(hashed) / MASK, SATURATION, BRIGHTNESS)


def _murmur(data: bytes) -> int:
    factor, hashed = 0x5BD1E995, len(data)
    whole = len(data) - len(data) % 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * factor & MASK
        k = (k ^ k >> 24) * factor & MASK
        hashed = hashed * factor & MASK ^ k
    if whole < len(data):
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * factor & MASK
    hashed = (hashed ^ hashed >> 13) * factor & MASK
    return hashed ^ hashed >> 15


def _turned(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & MASK


def _mixed(x: int) -> int:
    start = 0xDEADBEEF + (2 << 2) + 13
    a, b, c = (x + start) & MASK, start & MASK, start & MASK
    c = ((c ^ b) - _turned(b, 14)) & MASK
    a = ((a ^ c) - _turned(c, 11)) & MASK
    b = ((b ^ a) - _turned(a, 25)) & MASK
    c = ((c ^ b) - _turned(b, 16)) & MASK
    a = ((a ^ c) - _turned(c, 4)) & MASK
    b = ((b ^ a) - _turned(a, 14)) & MASK
    return ((c ^ b) - _turned(b, 24)) & MASK
