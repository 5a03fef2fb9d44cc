"""Covers and icons: how large they are, and whether they tell where they were taken."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

from publisher.documents.cover import UNREADABLE, opened
from publisher.findings import Finding
from publisher.quality.rule import odd

if TYPE_CHECKING:
    from PIL.Image import Image as Opened

_LEAST_COVER = (600, 315)
_LEAST_ICON = 256
_GPS = 0x8825  # the EXIF tag of the part that holds a position
_COORDINATES = {2, 4}  # of GPS: latitude, longitude
_XMP_POSITION = re.compile(rb"""GPSL(?:atitude|ongitude)\s*(?:=\s*["']|>)\s*[^"'<\s]""")
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_METADATA = {b"IHDR", b"eXIf", b"iTXt", b"tEXt", b"zTXt"}


def cover(content: bytes, pointer: str) -> list[Finding]:
    """Return what is odd about the image of a cover or (`/icon`) a publication's icon.

    Its pixels are never decoded.
    """
    from PIL import Image  # here, because most records have none

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with opened(_without_pixels(content)) as image:
                width, height = image.size
                position = _has_position(image)
    except (Image.DecompressionBombError, Warning, *UNREADABLE):
        return []  # that it is no image, or too large a one, is told elsewhere
    found = list(_size(width, height, pointer))
    if position:
        message = "the image tells where it was taken, and everybody can read it"
        found.append(odd(pointer, "cover-position", message, "remove the metadata"))
    return found


def _without_pixels(content: bytes) -> bytes:
    """Return a PNG with its metadata only, which may also follow the pixels; others as they are."""
    if not content.startswith(_PNG):
        return content
    kept, at = [_PNG], len(_PNG)
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])
        if content[at + 4 : at + 8] in _PNG_METADATA:
            kept.append(content[at:end])
        at = end
    return b"".join([*kept, struct.pack(">I4sI", 0, b"IEND", 0xAE426082)])


def _has_position(image: Opened) -> bool:
    """Tell whether EXIF or XMP say where; other fields of GPS (a clock, a datum) don't."""
    from PIL import Image

    # Not image.getexif(): that of PNG decodes the pixels first.
    gps, xmp = Image.Image.getexif(image).get_ifd(_GPS), image.info.get("xmp")
    if _COORDINATES & gps.keys():
        return True
    return isinstance(xmp, bytes) and bool(_XMP_POSITION.search(xmp.replace(b"\0", b"")))


def _size(width: int, height: int, pointer: str) -> Iterator[Finding]:
    measured = f"the image is {width} by {height}"
    if pointer == "/icon":
        if width != height or width < _LEAST_ICON:
            message = f"{measured}; an icon is square and at least {_LEAST_ICON} wide"
            yield odd(pointer, "icon-size", message, "crop or redraw it")
    elif width < _LEAST_COVER[0] or height < _LEAST_COVER[1]:
        message = f"{measured}; cards show it larger, and blurred"
        yield odd(pointer, "cover-size", message, "use 1200 by 630")
    elif not 1 <= width / height <= 3:
        message = f"{measured}; cards cut its edges off"
        yield odd(pointer, "cover-size", message, "use 1200 by 630")
