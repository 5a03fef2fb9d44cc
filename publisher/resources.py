"""The lexicons and sample documents that come with the package."""

from __future__ import annotations

from pathlib import Path

from publisher.errors import PublisherError

_PACKAGE = Path(__file__).parent


def bundled(name: str) -> Path:
    """Return the folder `lexicons` or `seeds`, in the installed package or in the checkout."""
    for folder in (_PACKAGE / "_data" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise PublisherError(
        f"the folder {name} of the package isn't there", remedy="install atproto-publisher again"
    )
