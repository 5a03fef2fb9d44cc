"""Cover images: found, held inside the project, measured without decoding them."""

from __future__ import annotations

import io
import struct
import warnings
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from publisher.data import RAW, Cid
from publisher.documents.model import Blob, Context
from publisher.findings import Finding

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_BYTES = 1_000_000
_MIME_TYPES = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # two JPEGs in one file, as some cameras write them
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "WEBP": "image/webp",
}
_FORMATS = tuple(name for name in _MIME_TYPES if name != "MPO")  # read as a JPEG, then found out
UNREADABLE = (
    *(OSError, ValueError, SyntaxError, LookupError, TypeError, RuntimeError),
    struct.error,
)
"""What Pillow raises for damaged images, each seen."""

_SITE_FOLDERS = ("", "static", "public", "assets", "src")


def read_cover(name: str, beside: Path, context: Context) -> Blob | Finding:
    """Return the cover that a document at `beside` names, or why it can't be used.

    A path is taken from the document's folder; one that begins with `/` from the folder of
    documents, then from the project's folder and its static, public, assets and src.
    """
    if "://" in name:
        return _refused(f"{name} is an address", "download the image and name its file")
    path = _locate(name, beside, context)
    if path is None:
        return _refused(f"{name} isn't there", "correct the path, or add the file")
    if not path.resolve().is_relative_to(context.root.resolve()):
        return _refused(f"{name} lies outside {context.root}", "copy it into the project")
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        return _refused(f"{name}: {error.strerror}", "make the file readable")
    return _too_large(name, size) or measured(name, content, path)


def is_first(path: Path, context: Context) -> bool:
    """Tell whether no folder has a file that would be taken instead of this cover."""
    folders = _folders(context)
    return not any(
        (before / path.relative_to(folder)).is_file()
        for at, folder in enumerate(folders)
        if path.is_relative_to(folder)
        for before in folders[:at]
    )


def _folders(context: Context) -> list[Path]:
    return [context.folder, *(context.root / folder for folder in _SITE_FOLDERS)]


def _locate(name: str, beside: Path, context: Context) -> Path | None:
    folders = _folders(context) if name.startswith("/") else [beside.parent]
    try:
        return next((p for folder in folders if (p := folder / name.lstrip("/")).is_file()), None)
    except (OSError, ValueError):
        return None


def _too_large(name: str, size: int) -> Finding | None:
    message = f"{name} has {size:,} bytes; the most is {MAX_BYTES:,}"
    return _refused(message, "make it smaller") if size > MAX_BYTES else None


def measured(name: str, content: bytes, path: Path | None) -> Blob | Finding:
    """Return the cover that bytes are, or why they can't be used; `path` is where they lie."""
    if too_large := _too_large(name, len(content)):
        return too_large
    from PIL import Image  # here, because most runs of most commands meet no cover

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata in disorder
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with opened(content) as image:
                mime_type = _MIME_TYPES[image.format or ""]
                animated = bool(getattr(image, "is_animated", False))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return _refused(f"{name} has too many pixels to be a cover", "scale it to 1200 by 630")
    except UNREADABLE:
        return _refused(
            f"{name} is no image that readers show", "convert it to WebP, PNG, JPEG, GIF or AVIF"
        )
    if mime_type == "image/png" and animated:
        mime_type = "image/apng"  # what servers find in the bytes
    return Blob(Cid.of(content, RAW), mime_type, len(content), path)


def opened(content: bytes) -> ImageFile:
    """Open an image of a format that readers show, its pixels not yet decoded.

    Raises one of UNREADABLE; what is read of it later may, too.
    """
    from PIL import Image

    _load_readers()
    return Image.open(io.BytesIO(content), formats=_FORMATS)


@cache
def _load_readers() -> None:
    """Load the readers of the formats that count: by itself Pillow loads all of its fifty."""
    for name in ("Avif", "Bmp", "Gif", "Jpeg", "Png", "Tiff", "WebP"):
        import_module(f"PIL.{name}ImagePlugin")


def _refused(message: str, remedy: str) -> Finding:
    return Finding("/coverImage", "cover", f"the cover {message}", "error", remedy)
