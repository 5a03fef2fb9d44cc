"""Reports become text, JSON, SARIF or annotations. Pure; nothing here prints."""

from __future__ import annotations

from publisher.output.text import Line, Report, escape, render
from publisher.output.wire import to_json

__all__ = ["Line", "Report", "escape", "render", "to_json"]
