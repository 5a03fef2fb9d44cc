"""A JSON file that holds a record."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from publisher.data import RAW, Cid, Fault
from publisher.documents import Blob, Context, Document, Reading, Source, escape_rkey, read
from publisher.documents.json_record import unescape_rkey
from publisher.findings import Finding

RECORD = {
    "$type": "site.standard.document",
    "title": "T",
    "publishedAt": "2026-02-05T16:32:10Z",
}


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 6)).save(file, "PNG")
    return file.getvalue()


PNG = png()
CID = Cid.of(PNG, RAW)
BLOB = {"$type": "blob", "ref": {"$link": str(CID)}, "mimeType": "image/png", "size": len(PNG)}


def put(name: str, content: bytes) -> Path:
    path = Path.cwd() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def reading(text: object, key: str = "content/record.json") -> Reading:
    """Read a file in the working folder that has this text, or this value as JSON."""
    path = put(key, (text if isinstance(text, str) else json.dumps(text)).encode())
    root = Path.cwd()
    return read(Source(path, key), Context(root, root / "content"))


def document(value: object, key: str = "content/record.json") -> Document:
    found = reading(value, key)
    assert found.document, found.findings
    assert found.findings == ()
    return found.document


def test_a_record_is_kept_as_it_stands() -> None:
    found = document({**RECORD, "com.example.own": {"deep": [1, None, True]}})
    assert found.value == {**RECORD, "com.example.own": {"deep": [1, None, True]}}
    assert found.collection == "site.standard.document"


def test_it_decides_the_fields_that_it_has() -> None:
    assert document(RECORD).owned is None


@pytest.mark.parametrize("text", ["{}", '{"title": "T"}', "[1]", '"text"', "7", "null"])
def test_json_without_a_type_is_skipped_with_a_warning(text: str) -> None:
    found = reading(text)
    assert found.document is None
    message, remedy = "has no $type, so it is no record: skipped", "add $type, or move the file"
    assert found.findings == (Finding("", "no-record", message, "warning", remedy),)


def test_what_a_pull_writes_about_itself_is_skipped_without_a_word() -> None:
    found = reading("{}", "content/pull.json")
    assert (found.document, found.findings) == (None, ())


@pytest.mark.parametrize(
    ("key", "rkey"),
    [
        ("content/site.standard.document/3mabcdefghijk.json", "3mabcdefghijk"),
        ("content/site.standard.document/self.json", "self"),
        ("content/deep/site.standard.document/a.b.json", "a.b"),
        ("content/site.standard.document/did%3Aweb%3Aa.json", "did:web:a"),
        ("content/site.standard.document/%2Ehidden.json", ".hidden"),
        ("content/3mabcdefghijk.json", None),
        ("content/site.standard.publication/3mabcdefghijk.json", None),
        ("content/site.standard.document/sub/3mabcdefghijk.json", None),
    ],
)
def test_the_file_name_is_the_rkey_in_a_folder_named_by_the_collection(
    key: str, rkey: str | None
) -> None:
    assert document(RECORD, key).rkey == rkey


def test_a_file_name_that_can_be_no_rkey_is_an_error_there() -> None:
    found = reading(RECORD, "content/site.standard.document/a b.json")
    (finding,) = found.findings
    assert finding.code == "rkey"
    assert finding.message.startswith("the file name 'a b' is not a record key")
    assert finding.remedy == "name it by its rkey, or move it out of site.standard.document/"


@given(st.from_regex(r"[A-Za-z0-9._:~-]{1,512}", fullmatch=True))
def test_the_name_of_a_rkey_leads_back_to_it_on_any_system(rkey: str) -> None:
    name = escape_rkey(rkey)
    assert unescape_rkey(name) == rkey
    assert ":" not in name
    assert not name.startswith(".")


def test_a_path_beside_the_record_becomes_the_blob_of_its_file() -> None:
    path = put("content/covers/a.png", PNG)
    found = document({**RECORD, "coverImage": "covers/a.png"})
    blob = {"$type": "blob", "ref": CID, "mimeType": "image/png", "size": len(PNG)}
    assert found.value["coverImage"] == blob
    assert found.blobs == (Blob(CID, "image/png", len(PNG), path),)


@pytest.mark.parametrize("folder", ["content/a/b", "content/a", "content"])
def test_the_bytes_of_a_blob_are_found_beside_the_record_or_above(folder: str) -> None:
    path = put(f"{folder}/blobs/{CID}", PNG)
    found = document({**RECORD, "coverImage": BLOB}, "content/a/b/record.json")
    assert found.blobs == (Blob(CID, "image/png", len(PNG), path),)


@pytest.mark.parametrize("folder", [".", "content/other", "content/a/b"])
def test_they_are_not_looked_for_outside_the_content_folder_nor_elsewhere(folder: str) -> None:
    put(f"{folder}/blobs/{CID}", PNG)
    found = document({**RECORD, "coverImage": BLOB}, "content/a/record.json")
    assert found.blobs == (Blob(CID, "image/png", len(PNG), None),)


def test_the_nearest_file_counts() -> None:
    put(f"content/blobs/{CID}", PNG)
    near = put(f"content/a/blobs/{CID}", PNG)
    (blob,) = document({**RECORD, "coverImage": BLOB}, "content/a/record.json").blobs
    assert blob.path == near


def test_a_blob_is_found_however_its_type_is_spelled() -> None:
    text = json.dumps({**RECORD, "coverImage": BLOB}).replace("blob", "\\u0062lob")
    found = reading(text).document
    assert found
    assert [blob.cid for blob in found.blobs] == [CID]


def test_blobs_anywhere_in_the_record_are_needed_once() -> None:
    put(f"content/blobs/{CID}", PNG)
    nested = {"$type": "com.example.gallery", "images": [{"image": BLOB}, {"image": BLOB}]}
    found = document({**RECORD, "coverImage": BLOB, "content": nested})
    assert [blob.cid for blob in found.blobs] == [CID]


@pytest.mark.parametrize(
    ("content", "size"), [(b"other bytes", len(PNG)), (PNG, len(PNG) + 1)], ids=["cid", "size"]
)
def test_a_file_that_is_not_the_blob_of_its_name_is_an_error(content: bytes, size: int) -> None:
    path = put(f"content/blobs/{CID}", content)
    found = reading({**RECORD, "coverImage": {**BLOB, "size": size}})
    message = f"{path} isn't the blob that its name says (its bytes have another CID or size)"
    assert found.findings == (Finding("", "blob-file", message, "error", "pull it again"),)


@pytest.mark.parametrize(
    ("text", "pointer", "message"),
    [
        ("", "", "line 1, column 1: Expecting value"),
        ('{"$type": "a.b.c" 1}', "", "line 1, column 19: Expecting ',' delimiter"),
        ('{"$type": "a.b.c", "x": 1, "x": 2}', "/x", "the key 'x' stands here twice"),
        ('{"$type": "a.b.c", "x": [{"y": NaN}]}', "/x/0/y", "NaN is no JSON"),
        ('{"$type": "a.b.c", "x": 1.5}', "/x", "1.5 is a fraction"),
        ('{"$type": "a.b.c", "x": "\\ud800"}', "/x", "a lone surrogate is no character"),
        ('{"$type": "a.b.c", "x": {"$link": "y"}}', "/x", "the link 'y' is no CID"),
        ('{"$type": "hello"}', "/$type", "'hello' is not an NSID"),
        ('{"$type": 7}', "/$type", "$type is no name"),
        ('{"$type": ""}', "/$type", "$type is no name"),
    ],
)
def test_what_is_no_record_is_one_error_with_its_place(
    text: str, pointer: str, message: str
) -> None:
    (finding,) = reading(text).findings
    assert (finding.severity, finding.pointer) == ("error", pointer)
    assert message in finding.message


def test_a_record_with_a_fault_is_read_so_that_the_others_can_be_told() -> None:
    found = reading('{"$type": "a.b.c", "x": 1.5, "y": 2}').document
    assert found is not None
    assert found.value["y"] == 2
    assert isinstance(found.value["x"], Fault)


def test_only_documents_have_covers_that_are_paths() -> None:
    value = {"$type": "com.example.thing", "coverImage": "https://a.example/x.png"}
    found = reading(value)
    assert found.findings == ()
    assert found.document
    assert found.document.value == value
