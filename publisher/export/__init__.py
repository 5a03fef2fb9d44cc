"""Records become files that authors write: Markdown with front matter. Pure, over values."""

from publisher.export.markdown import Exported, to_markdown

__all__ = ["Exported", "to_markdown"]
