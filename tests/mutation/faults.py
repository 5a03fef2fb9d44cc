"""The faults made by hand: each is a change of text in one file, and tests that must see it."""

from __future__ import annotations

from typing import NamedTuple

DATA = "tests/test_data.py"
LEXICON = "tests/test_lexicon.py"
FILES = "tests/test_lexicon_files.py"
SYNTAX = "tests/test_syntax.py"


class Fault(NamedTuple):
    """In `file` below publisher/, `before` (which stands there once) becomes `after`."""

    name: str
    file: str
    before: str
    after: str
    tests: str


FAULTS = (
    # Strings
    Fault(
        "bytes are taken for code points",
        "lexicon/leaves.py",
        'len(value.encode("utf-8", "surrogatepass"))',
        "len(value)",
        LEXICON,
    ),
    Fault(
        "graphemes are taken for code points",
        "lexicon/leaves.py",
        "of_graphemes(count_graphemes(value))",
        "of_graphemes(len(value))",
        LEXICON,
    ),
    Fault(
        "bytes are taken for graphemes",
        "lexicon/leaves.py",
        "of_graphemes(count_graphemes(value))",
        "of_graphemes(size)",
        LEXICON,
    ),
    Fault(
        "a text that is long enough is never counted",
        "lexicon/leaves.py",
        "min(most // 4, maximum)",
        "min(most, maximum)",
        LEXICON,
    ),
    Fault(
        "a size one beyond its limit is taken",
        "lexicon/leaves.py",
        "        if low <= size <= high:",
        "        if low <= size <= high + 1:",
        LEXICON,
    ),
    Fault(
        "a size exactly at its limit is refused",
        "lexicon/leaves.py",
        "        if low <= size <= high:",
        "        if low <= size < high:",
        LEXICON,
    ),
    Fault(
        "a least size is not held",
        "lexicon/leaves.py",
        "        if low <= size <= high:",
        "        if size <= high:",
        LEXICON,
    ),
    Fault(
        "a limit of zero is no limit",
        "lexicon/leaves.py",
        "(sys.maxsize if most is None else most)",
        "(most or sys.maxsize)",
        LEXICON,
    ),
    Fault(
        "carriage return and line feed are two graphemes",
        "lexicon/leaves.py",
        'text.isascii() and "\\r" not in text',
        "text.isascii()",
        LEXICON,
    ),
    Fault(
        "letters that join are counted as if they stood alone",
        "lexicon/leaves.py",
        r"\u0370-\u0482",
        r"\u0300-\u0482",
        "tests/test_graphemes.py",
    ),
    Fault(
        "a format is not held",
        "lexicon/leaves.py",
        "        yield _format(definition.format)",
        "        yield lambda _value: None",
        LEXICON,
    ),
    Fault(
        "an enum of strings is not held",
        "lexicon/leaves.py",
        "        if value in allowed:",
        "        if value in allowed or allowed:",
        LEXICON,
    ),
    Fault(
        "an empty const is none",
        "lexicon/leaves.py",
        "    if definition.const is not None:",
        "    if definition.const:",
        LEXICON,
    ),
    Fault(
        "a lone surrogate in a declared string is taken",
        "lexicon/leaves.py",
        "        if value.isascii() or is_text(value):",
        "        if True:",
        LEXICON,
    ),
    # Numbers
    Fault(
        "true is the integer one",
        "lexicon/leaves.py",
        "        if isinstance(value, bool) or not isinstance(value, int):",
        "        if not isinstance(value, int):",
        LEXICON,
    ),
    Fault(
        "one is true",
        "lexicon/leaves.py",
        "        if not isinstance(value, bool):",
        "        if value not in (True, False):",
        LEXICON,
    ),
    Fault(
        "a minimum of zero is none",
        "lexicon/leaves.py",
        "if minimum is not None and value < minimum:",
        "if minimum and value < minimum:",
        LEXICON,
    ),
    Fault(
        "a minimum is exclusive",
        "lexicon/leaves.py",
        "and value < minimum:",
        "and value <= minimum:",
        LEXICON,
    ),
    Fault(
        "a maximum is exclusive",
        "lexicon/leaves.py",
        "and value > maximum:",
        "and value >= maximum:",
        LEXICON,
    ),
    Fault(
        "a const of false is none",
        "lexicon/leaves.py",
        "        if const is not None and value is not const:",
        "        if const and value is not const:",
        LEXICON,
    ),
    Fault(
        "integers beyond 53 bits are taken",
        "data/check.py",
        "        elif abs(value) > SAFE_INTEGER:",
        "        elif abs(value) > SAFE_INTEGER + 1:",
        DATA,
    ),
    Fault(
        "a fraction becomes a whole number",
        "data/json.py",
        "return int(number) if number == number.to_integral_value() else _fraction(text)",
        "return int(number)",
        DATA,
    ),
    # Blobs, links, bytes
    Fault(
        "a blob one byte too large is taken",
        "lexicon/leaves.py",
        "size > max_size:",
        "size > max_size + 1:",
        LEXICON,
    ),
    Fault(
        "image/* takes imagery/png",
        "lexicon/leaves.py",
        "else p[:-1] for p in accept",
        "else p[:-2] for p in accept",
        LEXICON,
    ),
    Fault(
        "a blob may have other keys",
        "data/check.py",
        "    if value.keys() != _BLOB_KEYS:",
        "    if value.keys() < _BLOB_KEYS:",
        DATA,
    ),
    Fault(
        "an empty blob is refused",
        "data/check.py",
        "and not isinstance(value, bool) and value >= 0",
        "and not isinstance(value, bool) and value > 0",
        DATA,
    ),
    Fault(
        "the padding bits of a link may be set",
        "data/cid.py",
        "[aeimquy4]",
        "[a-z2-7]",
        DATA,
    ),
    Fault(
        "a link may have other keys",
        "data/json.py",
        '    text = mapping["$link"]\n    if len(mapping) != 1 or not',
        '    text = mapping["$link"]\n    if not',
        DATA,
    ),
    Fault(
        "bytes may be in the alphabet of URLs",
        "data/json.py",
        'r"[A-Za-z0-9+/]*={0,2}"',
        'r"[A-Za-z0-9+/_-]*={0,2}"',
        DATA,
    ),
    Fault(
        "a legacy blob is taken anywhere",
        "data/check.py",
        "    if value.keys() != _LEGACY_KEYS or not",
        "    if True or not",
        LEXICON,
    ),
    # Objects, arrays, unions, refs
    Fault(
        "a required field may be missing",
        "lexicon/compile.py",
        '            if name not in value:\n                findings += error("required"',
        '            if name in checks and False:\n                findings += error("required"',
        LEXICON,
    ),
    Fault(
        "null is taken for absent",
        "lexicon/compile.py",
        "    if name in nullable:\n        return []",
        "    if True:\n        return []",
        LEXICON,
    ),
    Fault(
        "nothing is nullable",
        "lexicon/compile.py",
        "    if name in nullable:\n        return []",
        "    if False:\n        return []",
        LEXICON,
    ),
    Fault(
        "only the first item of an array is looked at",
        "lexicon/compile.py",
        "        for index, item in enumerate(value):",
        "        for index, item in enumerate(value[:1]):",
        LEXICON,
    ),
    Fault(
        "only the last fault of an object is told",
        "lexicon/compile.py",
        "                findings += _of_field(name, item, found, nullable)",
        "                findings = _of_field(name, item, found, nullable)",
        LEXICON,
    ),
    Fault(
        "a closed union is open",
        "lexicon/compile.py",
        '    if closed and name.removesuffix("#main") not in members:',
        "    if False:",
        LEXICON,
    ),
    Fault(
        "a ref to a record needs no $type",
        "lexicon/compile.py",
        "required=isinstance(definition, lex.RecordDef)",
        "required=False",
        LEXICON,
    ),
    Fault(
        "a ref may hold an object of another type",
        "lexicon/compile.py",
        "        if given in allowed or",
        "        if True or",
        LEXICON,
    ),
    Fault(
        "what an open union holds is invalid by a lexicon it doesn't list",
        "lexicon/compile.py",
        'replace(fault, severity="info")',
        'replace(fault, severity="error")',
        LEXICON,
    ),
    Fault(
        "a field that isn't declared may hold anything",
        "lexicon/compile.py",
        "                findings += undeclared({name: item}, depth) or []",
        "                continue",
        LEXICON,
    ),
    Fault(
        "nesting may be one deeper",
        "data/check.py",
        "MAX_DEPTH = 32",
        "MAX_DEPTH = 33",
        DATA,
    ),
    Fault(
        "a key may stand twice",
        "data/json.py",
        "catch_duplicate_keys=True",
        "catch_duplicate_keys=False",
        DATA,
    ),
    Fault(
        "a pointer isn't escaped",
        "findings.py",
        '.replace("~", "~0").replace("/", "~1")',
        '.replace("/", "~1")',
        LEXICON,
    ),
    # Records and verdicts
    Fault(
        "the key of a record is not held",
        "lexicon/catalog.py",
        'return syntax.check(kind, rkey) if kind in {"tid", "nsid"} else None',
        "return None",
        LEXICON,
    ),
    Fault(
        "a record without a lexicon is valid",
        "lexicon/catalog.py",
        'profile, "unknown")',
        'profile, "valid")',
        LEXICON,
    ),
    Fault(
        "a record may be of another collection",
        "lexicon/catalog.py",
        "        if name != collection:",
        "        if False:",
        LEXICON,
    ),
    Fault(
        "what servers refuse is a warning",
        "lexicon/catalog.py",
        'return replace(finding, severity="error") if refused else finding',
        "return finding",
        LEXICON,
    ),
    # Formats
    Fault(
        "a format takes a last line feed",
        "syntax.py",
        'return None if _TID.fullmatch(text) else "is not a TID',
        'return None if re.match(_TID.pattern + "$", text) else "is not a TID',
        SYNTAX,
    ),
    Fault(
        "digits of other scripts are digits",
        "syntax.py",
        r'r"([0-9]{4})-([0-9]{2})-([0-9]{2})T',
        r'r"(\d{4})-(\d{2})-(\d{2})T',
        SYNTAX,
    ),
    Fault(
        "every year has a 29 February",
        "syntax.py",
        "29 if month == 2 and leap else",
        "29 if month == 2 else",
        SYNTAX,
    ),
    Fault(
        "an offset of -00:00 is taken",
        "syntax.py",
        'if sign == "-" and hours == minutes == 0:',
        'if sign == "-" and hours == minutes == 99:',
        SYNTAX,
    ),
    Fault(
        "a NSID is one character too long",
        "syntax.py",
        "    if len(text) > 317:",
        "    if len(text) > 318:",
        SYNTAX,
    ),
    Fault(
        "'..' is a record key",
        "syntax.py",
        '    if text in {".", ".."} or',
        '    if text in {"."} or',
        SYNTAX,
    ),
    Fault(
        "what is most often valid is not looked at closely",
        "syntax.py",
        "(?:0[1-9]|1[0-9]|2[0-8])",
        "(?:0[1-9]|[12][0-9]|3[01])",
        SYNTAX,
    ),
    # Lexicon files
    Fault(
        "a dangling ref is taken",
        "lexicon/consistency.py",
        "        return known and self.definition(name) is None",
        "        return False",
        FILES,
    ),
    Fault(
        "version 2 of the language is taken",
        "lexicon/language.py",
        "    if number != 1:",
        "    if number > 2:",
        FILES,
    ),
)
