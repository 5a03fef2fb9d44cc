"""Lexicon files become validators that tell every fault, its place and its remedy."""

from publisher.findings import Finding
from publisher.lexicon.catalog import Catalog, Verdict
from publisher.lexicon.load import check, load

__all__ = ["Catalog", "Finding", "Verdict", "check", "load"]
