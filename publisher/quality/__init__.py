"""What is odd about a record though its lexicon allows it: docs/rules.md has each rule.

Pure but for images, whose bytes are given. Sources: the descriptions in the site.standard lexicons,
and what readers do with such records.
"""

from publisher.quality.image import cover
from publisher.quality.record import check
from publisher.quality.site import PUBLICATION, address, loose, twice

__all__ = ["PUBLICATION", "address", "check", "cover", "loose", "twice"]
