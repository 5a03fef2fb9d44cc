"""What a check found: one value for every layer, from JSON syntax to lexicon rules."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Code:
    """What a finding's code stands for, in a line.

    `severity` is the usual one, for publishing; 'off' where `[rules]` must ask for it. Drafts and
    other profiles have a lower one.
    """

    severity: Severity | Literal["off"]
    says: str


_FAULTS = {
    # Files
    "utf-8": Code("error", "the file isn't UTF-8"),
    "json-syntax": Code("error", "the file is no JSON"),
    "front-matter": Code("error", "the front matter is missing or can't be read"),
    "archive": Code("error", "a CAR is torn, or no CAR at all"),
    "cbor": Code("error", "a record in a CAR is no DAG-CBOR"),
    "unreadable": Code("error", "the file can't be opened"),
    "file-name": Code("error", "the file's name is no UTF-8"),
    "suffix": Code("error", "nothing reads files of this kind"),
    "no-record": Code("warning", "a JSON file without `$type` is no record, and skipped"),
    # Documents
    "date": Code("error", "a date of the front matter can't be used"),
    "path": Code("error", "`path` or `slug` can't be part of an address"),
    "at-uri": Code("error", "`atUri` names no record"),
    "front-matter-typo": Code(
        "warning", "an unknown name in the front matter is close to a known one"
    ),
    "front-matter-twice": Code("info", "two names of one field are given; the surer one is used"),
    "cover": Code("error", "the cover can't be used"),
    "blob-file": Code("error", "a file in `blobs/` isn't what its name says"),
    "site-differs": Code("error", "the record's `site` isn't the one of `publisher.toml`"),
    "duplicate-path": Code("error", "two documents of a site have one path"),
    "duplicate-id": Code("error", "two documents have one id"),
    "duplicate-rkey": Code("error", "two documents name one record"),
    "record-size": Code("error", "the record has more bytes than servers take"),
    "at-uri-elsewhere": Code("warning", "`atUri` names another account's record, and is ignored"),
    "content-kept": Code("info", "the record's `content` is another app's, and stays"),
    # The data model
    "duplicate-key": Code("error", "a key stands twice in one object"),
    "not-a-number": Code("error", "NaN and Infinity are no JSON"),
    "float": Code("error", "a number is no whole one"),
    "integer-range": Code("error", "a number is beyond what servers keep"),
    "surrogate": Code("error", "half of a character stands alone"),
    "depth": Code("error", "nesting is too deep"),
    "type-name": Code("error", "`$type` is empty, no string, or ends in `#main`"),
    "link-form": Code("error", "a `$link` is no CID, or has other keys beside it"),
    "bytes-form": Code("error", "`$bytes` are no base64, or have other keys beside them"),
    "blob-form": Code("error", "a blob has other fields than it must have"),
    "blob-codec": Code("error", "a blob's CID isn't one of raw bytes"),
    "proto-key": Code("error", "servers refuse the key `__proto__`, and JavaScript misreads it"),
    # Records against their lexicon
    "record-type": Code("error", "`$type` is missing, no name, or isn't the collection"),
    "rkey": Code("error", "the record key isn't of the kind that the lexicon asks for"),
    "required": Code("error", "a field is missing"),
    "null": Code("error", "a field is null without being nullable"),
    "type": Code("error", "a value is of another type"),
    "too-long": Code("error", "a string, array or bytes value is too long"),
    "too-short": Code("error", "a string, array or bytes value is too short"),
    "too-many-graphemes": Code("error", "a string has too many characters"),
    "too-few-graphemes": Code("error", "a string has too few characters"),
    "format": Code("error", "a string isn't of its format"),
    "format-doubt": Code("warning", "a string is of its format, but not all servers take it"),
    "enum": Code("error", "a value isn't one of those allowed"),
    "const": Code("error", "a value isn't the one allowed"),
    "minimum": Code("error", "a number is too small"),
    "maximum": Code("error", "a number is too large"),
    "blob-type": Code("error", "a blob is of a type that isn't accepted"),
    "blob-size": Code("error", "a blob is too large"),
    "blob-legacy": Code("error", "a blob is in the form given up in 2023"),
    "ref-type": Code("error", "an object has another `$type` than its field holds"),
    "union-type": Code("error", "an object in a union has no `$type`, or one that isn't listed"),
    "union-name": Code("warning", "a `$type` in an open union is no lexicon's name"),
    "lexicon-unknown": Code("warning", "no lexicon of the collection is here, so nobody can say"),
    "blob-size-differs": Code("warning", "a blob has another size than its record says"),
    "reference-cid": Code("warning", "a reference's `cid` isn't that of the record here"),
    # Lexicon files
    "lexicon-form": Code("error", "a lexicon file isn't one"),
    "ref-dangling": Code("error", "a lexicon refers to one that isn't there"),
    "lexicon-type": Code("error", "a type that Lexicon doesn't have, or not in this place"),
    "lexicon-keyword": Code("error", "a keyword is misspelt, or obeyed nowhere in its place"),
    "lexicon-field": Code("warning", "a field isn't one of the language"),
    "lexicon-limits": Code("error", "a lower limit is above the upper one"),
    "lexicon-value": Code("error", "a definition refuses its own default, const or enum"),
    "lexicon-undeclared": Code("error", "`required` or `nullable` names no property"),
    "lexicon-permission": Code("error", "a permission set grants what none can grant"),
    "permission-outside": Code("warning", "a permission is outside the set's own names"),
    "lexicon-endless": Code("error", "no value of a definition can end"),
    "lexicon-twice": Code("error", "two files of a folder have one NSID"),
    "lexicon-place": Code("info", "a file lies where another lexicon is looked for"),
    "ref-target": Code("error", "a ref leads to what describes no value"),
    "union-member": Code("error", "a member of a union is neither object nor record"),
    "union-twice": Code("error", "a member of a union is listed twice"),
    "union-empty": Code("error", "a union is closed and has no member"),
    "known-value": Code("info", "one of `knownValues` is a name that isn't defined here"),
    "lexicon-replaced": Code("info", "a lexicon that comes with the program is replaced"),
    # Readers
    "bluesky-card": Code("warning", "Bluesky shows no enhanced card"),
    "bluesky-reading-time": Code("warning", "Bluesky shows no reading time"),
    "leaflet-repo": Code("warning", "Leaflet doesn't find the publication of another repo"),
    "leaflet-limit": Code("warning", "Leaflet drops the record, for its older limits"),
}

RULES = {
    "content-form": Code("warning", "`text` of `at.markpub.markdown` is a string, not an object"),
    "content-squatted": Code("warning", "the type of `content` is no published lexicon"),
    "cover-missing": Code("off", "there is no cover or icon"),
    "cover-position": Code("warning", "an image says where it was taken"),
    "cover-size": Code("info", "the cover is small, or very wide or high"),
    "description-missing": Code("off", "there is no description"),
    "field-typo": Code("warning", "an unknown field is close to a known one"),
    "icon-size": Code("warning", "the icon isn't square, or is small"),
    "links-array": Code("warning", "`links` is an array"),
    "path-query": Code("warning", "`path` has a query or fragment"),
    "path-slash": Code("warning", "`path` has no leading slash"),
    "publication-twice": Code("warning", "two publications have one `url`"),
    "published-future": Code("warning", "`publishedAt` is in the future"),
    "site-collection": Code("warning", "`site` is the URI of no publication"),
    "site-handle": Code("warning", "`site` names a handle, not a DID"),
    "site-http": Code("warning", "`site` or `url` is http, not https"),
    "site-loose": Code("warning", "`site` is an address whose publication is here"),
    "site-slash": Code("warning", "`site` or `url` ends in a slash"),
    "tag-markup": Code("warning", "a tag has more than its words"),
    "tag-twice": Code("info", "a tag stands twice, whatever its case"),
    "text-markup": Code("warning", "`textContent` has markup left in it"),
    "text-missing": Code("off", "there is no `textContent`"),
    "title-empty": Code("warning", "the title or name is empty"),
    "updated-before": Code("warning", "`updatedAt` is before `publishedAt`"),
}
"""What is valid and still a mistake: docs/rules.md has an example of each."""

CODES = {**_FAULTS, **RULES}
"""Every code that a finding may have. A new one is a line here, and a row in the docs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: `pointer` is a JSON pointer (RFC 6901) into the checked value, '' its root.

    `line` and `column` (from 1, in characters) are its place in the author's file, where known.
    """

    pointer: str
    code: str
    message: str
    severity: Severity = "error"
    remedy: str = ""
    line: int | None = None
    column: int | None = None

    def below(self, prefix: str) -> Finding:
        """Return the same finding, its place put below `prefix`."""
        return replace(self, pointer=prefix + self.pointer)


def pointer_to(*steps: str | int) -> str:
    """Return the JSON pointer of a path of keys and indices."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def has_errors(findings: list[Finding] | tuple[Finding, ...]) -> bool:
    """Tell whether one of the findings is an error."""
    return any(finding.severity == "error" for finding in findings)


def unknown_code(text: str) -> str | None:
    """Return why a text is no code of a finding, with the nearest that is one; else None."""
    if text in CODES:
        return None
    nearest = difflib.get_close_matches(text.lower(), CODES, n=1, cutoff=0.5)
    known = f"the nearest is {nearest[0]}" if nearest else "docs/validation.md has them"
    return f"{text!r} is no code of a finding; {known}"
