"""httpx, as all of this program imports it: without its command line.

That imports rich and pygments, an eighth of what our commands take to start. Where it can't be
imported, httpx goes on as it does without its extra.
"""

from __future__ import annotations

import sys

_COMMAND_LINE = "httpx._main"

if _COMMAND_LINE in sys.modules:
    import httpx
else:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # the language reference allows it
    import httpx

    del sys.modules[_COMMAND_LINE]

__all__ = ["httpx"]
