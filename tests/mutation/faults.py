"""The faults made by hand: each is a change of text in one file, and a test that must see it."""

from __future__ import annotations

from typing import NamedTuple

DATA = "tests/test_data.py"
LEXICON = "tests/test_lexicon.py"
FILES = "tests/test_lexicon_files.py"
SYNTAX = "tests/test_syntax.py"
GRAPHEMES = "tests/test_graphemes.py"
AT_ITS_EDGE = f"{LEXICON}::test_a_rule_holds_at_its_edge_wherever_the_definition_stands"


class Fault(NamedTuple):
    """In `file` below publisher/, `before` (which stands there once) becomes `after`."""

    name: str
    file: str
    before: str
    after: str
    test: str


FAULTS = (
    # Strings
    Fault(
        "bytes are taken for code points",
        "lexicon/leaves.py",
        'len(value.encode("utf-8", "surrogatepass"))',
        "len(value)",
        AT_ITS_EDGE,
    ),
    Fault(
        "graphemes are taken for code points",
        "lexicon/leaves.py",
        "of_graphemes(count_graphemes(value))",
        "of_graphemes(len(value))",
        AT_ITS_EDGE,
    ),
    Fault(
        "bytes are taken for graphemes",
        "lexicon/leaves.py",
        "of_graphemes(count_graphemes(value))",
        "of_graphemes(size)",
        AT_ITS_EDGE,
    ),
    Fault(
        "a text that is long enough is never counted",
        "lexicon/leaves.py",
        "min(most // 4, maximum)",
        "min(most, maximum)",
        AT_ITS_EDGE,
    ),
    Fault(
        "a size one beyond its limit is taken",
        "lexicon/leaves.py",
        "        if low <= size <= high:",
        "        if low <= size <= high + 1:",
        AT_ITS_EDGE,
    ),
    Fault(
        "a size exactly at its limit is refused",
        "lexicon/leaves.py",
        "        if low <= size <= high:",
        "        if low <= size < high:",
        AT_ITS_EDGE,
    ),
    Fault(
        "a least size is not held",
        "lexicon/leaves.py",
        "        if low <= size <= high:",
        "        if size <= high:",
        AT_ITS_EDGE,
    ),
    Fault(
        "a limit of zero is no limit",
        "lexicon/leaves.py",
        "(sys.maxsize if most is None else most)",
        "(most or sys.maxsize)",
        AT_ITS_EDGE,
    ),
    Fault(
        "carriage return and line feed are two graphemes",
        "lexicon/leaves.py",
        'text.isascii() and "\\r" not in text',
        "text.isascii()",
        AT_ITS_EDGE,
    ),
    Fault(
        "letters that join are counted as if they stood alone",
        "lexicon/leaves.py",
        r"\u0370-\u0482",
        r"\u0300-\u0482",
        f"{GRAPHEMES}::test_every_case_of_unicode_is_counted_right",
    ),
    Fault(
        "a format is not held",
        "lexicon/leaves.py",
        "        yield _format(definition.format)",
        "        yield lambda _value: None",
        AT_ITS_EDGE,
    ),
    Fault(
        "an enum of strings is not held",
        "lexicon/leaves.py",
        "        if value in allowed:",
        "        if value in allowed or allowed:",
        AT_ITS_EDGE,
    ),
    Fault(
        "an empty const is none",
        "lexicon/leaves.py",
        "    if definition.const is not None:",
        "    if definition.const:",
        AT_ITS_EDGE,
    ),
    Fault(
        "a lone surrogate in a declared string is taken",
        "lexicon/leaves.py",
        "        if value.isascii() or is_text(value):",
        "        if True:",
        f"{LEXICON}::test_a_verdict_has_every_fault_of_the_data_model",
    ),
    # Numbers
    Fault(
        "true is the integer one",
        "lexicon/leaves.py",
        "        if isinstance(value, bool) or not isinstance(value, int):",
        "        if not isinstance(value, int):",
        AT_ITS_EDGE,
    ),
    Fault(
        "one is true",
        "lexicon/leaves.py",
        "        if not isinstance(value, bool):",
        "        if value not in (True, False):",
        AT_ITS_EDGE,
    ),
    Fault(
        "a minimum of zero is none",
        "lexicon/leaves.py",
        "if minimum is not None and value < minimum:",
        "if minimum and value < minimum:",
        AT_ITS_EDGE,
    ),
    Fault(
        "a minimum is exclusive",
        "lexicon/leaves.py",
        "and value < minimum:",
        "and value <= minimum:",
        AT_ITS_EDGE,
    ),
    Fault(
        "a maximum is exclusive",
        "lexicon/leaves.py",
        "and value > maximum:",
        "and value >= maximum:",
        AT_ITS_EDGE,
    ),
    Fault(
        "a const of false is none",
        "lexicon/leaves.py",
        "        if const is not None and value is not const:",
        "        if const and value is not const:",
        AT_ITS_EDGE,
    ),
    Fault(
        "integers beyond 53 bits are taken",
        "data/check.py",
        "        elif abs(value) > SAFE_INTEGER:",
        "        elif abs(value) > SAFE_INTEGER + 1:",
        f"{DATA}::test_integers_beyond_53_bits_are_faults_only_for_servers",
    ),
    Fault(
        "a fraction becomes a whole number",
        "data/json.py",
        "return int(number) if number == number.to_integral_value() else _fraction(text)",
        "return int(number)",
        f"{DATA}::test_other_numbers_are_faults_even_in_fields_that_nobody_knows",
    ),
    # Blobs, links, bytes
    Fault(
        "a blob one byte too large is taken",
        "lexicon/leaves.py",
        "size > max_size:",
        "size > max_size + 1:",
        f"{LEXICON}::test_a_blob_is_of_an_accepted_type_and_size",
    ),
    Fault(
        "image/* takes imagery/png",
        "lexicon/leaves.py",
        "else p[:-1] for p in accept",
        "else p[:-2] for p in accept",
        f"{LEXICON}::test_a_blob_is_of_an_accepted_type_and_size",
    ),
    Fault(
        "a blob may have other keys",
        "data/check.py",
        "    if value.keys() != _BLOB_KEYS:",
        "    if value.keys() < _BLOB_KEYS:",
        f"{DATA}::test_a_size_of_nothing_is_no_fault_beside_another",
    ),
    Fault(
        "an empty blob is refused",
        "data/check.py",
        "and not isinstance(value, bool) and value >= 0",
        "and not isinstance(value, bool) and value > 0",
        f"{DATA}::test_a_size_of_nothing_is_no_fault_beside_another",
    ),
    Fault(
        "the padding bits of a link may be set",
        "data/cid.py",
        "[aeimquy4]",
        "[a-z2-7]",
        f"{DATA}::test_links_in_any_other_form_are_a_fault",
    ),
    Fault(
        "a link may have other keys",
        "data/json.py",
        '    text = mapping["$link"]\n    if len(mapping) != 1 or not',
        '    text = mapping["$link"]\n    if not',
        f"{DATA}::test_links_in_any_other_form_are_a_fault",
    ),
    Fault(
        "bytes may be in the alphabet of URLs",
        "data/json.py",
        'r"[A-Za-z0-9+/]*={0,2}"',
        'r"[A-Za-z0-9+/_-]*={0,2}"',
        f"{DATA}::test_bytes_in_any_other_form_are_a_fault",
    ),
    Fault(
        "a legacy blob is taken anywhere",
        "data/check.py",
        "    if value.keys() != _LEGACY_KEYS or not",
        "    if True or not",
        f"{LEXICON}::test_what_only_servers_refuse_is_a_warning_for_the_specification",
    ),
    # Objects, arrays, unions, refs
    Fault(
        "a required field may be missing",
        "lexicon/compile.py",
        '            if name not in value:\n                findings += error("required"',
        '            if name in checks and False:\n                findings += error("required"',
        AT_ITS_EDGE,
    ),
    Fault(
        "null is taken for absent",
        "lexicon/compile.py",
        "    if name in nullable:\n        return []",
        "    if True:\n        return []",
        f"{LEXICON}::test_an_object_has_what_is_required_and_null_only_where_allowed",
    ),
    Fault(
        "nothing is nullable",
        "lexicon/compile.py",
        "    if name in nullable:\n        return []",
        "    if False:\n        return []",
        f"{LEXICON}::test_an_object_has_what_is_required_and_null_only_where_allowed",
    ),
    Fault(
        "only the first item of an array is looked at",
        "lexicon/compile.py",
        "        for index, item in enumerate(value):",
        "        for index, item in enumerate(value[:1]):",
        f"{LEXICON}::test_null_is_not_the_same_as_absent",
    ),
    Fault(
        "only the last fault of an object is told",
        "lexicon/compile.py",
        "                findings += _of_field(name, item, found, nullable)",
        "                findings = _of_field(name, item, found, nullable)",
        f"{LEXICON}::test_a_dangling_ref_fails_only_the_record_that_reaches_it",
    ),
    Fault(
        "a closed union is open",
        "lexicon/compile.py",
        '    if closed and name.removesuffix("#main") not in members:',
        "    if False:",
        f"{LEXICON}::test_a_ref_to_a_union_leaves_the_type_to_the_union",
    ),
    Fault(
        "a ref to a record needs no $type",
        "lexicon/compile.py",
        "required=isinstance(definition, lex.RecordDef)",
        "required=False",
        f"{LEXICON}::test_a_ref_to_a_record_is_its_object_with_the_type_required",
    ),
    Fault(
        "a ref may hold an object of another type",
        "lexicon/compile.py",
        "        if given in allowed or",
        "        if True or",
        f"{LEXICON}::test_a_ref_to_a_record_is_its_object_with_the_type_required",
    ),
    Fault(
        "what an open union holds is invalid by a lexicon it doesn't list",
        "lexicon/compile.py",
        'replace(fault, severity="info")',
        'replace(fault, severity="error")',
        f"{LEXICON}::test_a_union_is_told_apart_by_type",
    ),
    Fault(
        "a field that isn't declared may hold anything",
        "lexicon/compile.py",
        "                findings += undeclared({name: item}, depth) or []",
        "                continue",
        f"{LEXICON}::test_an_object_has_what_is_required_and_null_only_where_allowed",
    ),
    Fault(
        "nesting may be one deeper",
        "data/check.py",
        "MAX_DEPTH = 32",
        "MAX_DEPTH = 33",
        f"{DATA}::test_a_text_outside_the_data_model_is_refused",
    ),
    Fault(
        "a key may stand twice",
        "data/json.py",
        "catch_duplicate_keys=True",
        "catch_duplicate_keys=False",
        f"{DATA}::test_a_text_outside_the_data_model_is_refused",
    ),
    Fault(
        "a pointer isn't escaped",
        "findings.py",
        '.replace("~", "~0").replace("/", "~1")',
        '.replace("/", "~1")',
        f"{LEXICON}::test_a_pointer_escapes_what_separates_its_steps",
    ),
    # Records and verdicts
    Fault(
        "the key of a record is not held",
        "lexicon/catalog.py",
        'return syntax.check(kind, rkey) if kind in {"tid", "nsid"} else None',
        "return None",
        f"{LEXICON}::test_the_profile_of_a_reader_holds_collection_and_record_key_too",
    ),
    Fault(
        "a record without a lexicon is valid",
        "lexicon/catalog.py",
        'profile, "unknown")',
        'profile, "valid")',
        f"{LEXICON}::test_a_record_of_an_unknown_collection_is_held_to_its_name",
    ),
    Fault(
        "a record may be of another collection",
        "lexicon/catalog.py",
        "        if name != collection:",
        "        if False:",
        f"{LEXICON}::test_the_profile_of_a_reader_holds_collection_and_record_key_too",
    ),
    Fault(
        "what servers refuse is a warning",
        "lexicon/catalog.py",
        'return replace(finding, severity="error") if refused else finding',
        "return finding",
        f"{LEXICON}::test_a_blob_by_a_dag_cbor_cid_is_refused_only_where_a_server_would",
    ),
    # Formats
    Fault(
        "a format takes a last line feed",
        "syntax.py",
        'return None if _TID.fullmatch(text) else "is not a TID',
        'return None if re.match(_TID.pattern + "$", text) else "is not a TID',
        f"{SYNTAX}::test_no_format_lets_white_space_or_nul_follow",
    ),
    Fault(
        "digits of other scripts are digits",
        "syntax.py",
        r'r"([0-9]{4})-([0-9]{2})-([0-9]{2})T',
        r'r"(\d{4})-(\d{2})-(\d{2})T',
        f"{SYNTAX}::test_other_texts_are_refused_with_a_reason",
    ),
    Fault(
        "every year has a 29 February",
        "syntax.py",
        "29 if month == 2 and leap else",
        "29 if month == 2 else",
        f"{SYNTAX}::test_other_texts_are_refused_with_a_reason",
    ),
    Fault(
        "an offset of -00:00 is taken",
        "syntax.py",
        'if sign == "-" and hours == minutes == 0:',
        'if sign == "-" and hours == minutes == 99:',
        f"{SYNTAX}::test_other_texts_are_refused_with_a_reason",
    ),
    Fault(
        "a NSID is one character too long",
        "syntax.py",
        "    if len(text) > 317:",
        "    if len(text) > 318:",
        f"{SYNTAX}::test_other_texts_are_refused_with_a_reason",
    ),
    Fault(
        "'..' is a record key",
        "syntax.py",
        '    if text in {".", ".."} or',
        '    if text in {"."} or',
        f"{SYNTAX}::test_other_texts_are_refused_with_a_reason",
    ),
    Fault(
        "what is most often valid is not looked at closely",
        "syntax.py",
        "(?:0[1-9]|1[0-9]|2[0-8])",
        "(?:0[1-9]|[12][0-9]|3[01])",
        f"{SYNTAX}::test_what_is_seen_at_once_to_be_valid_is_valid_and_beyond_doubt",
    ),
    # Lexicon files
    Fault(
        "a dangling ref is taken",
        "lexicon/consistency.py",
        "        return known and self.definition(name) is None",
        "        return False",
        f"{FILES}::test_a_fault_is_told_once_at_its_place",
    ),
    Fault(
        "version 2 of the language is taken",
        "lexicon/language.py",
        "    if number != 1:",
        "    if number > 2:",
        f"{FILES}::test_a_fault_is_told_once_at_its_place",
    ),
)
