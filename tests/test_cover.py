"""Cover images: what they are is read from their bytes, and where they are is held."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from publisher import quality
from publisher.data import RAW, Cid
from publisher.documents import Blob, Context
from publisher.documents.cover import MAX_BYTES, measured, read_cover
from publisher.findings import Finding


def image(kind: str, *, frames: int = 1) -> bytes:
    """A small image in one of Pillow's formats."""
    first, *others = [Image.new("RGB", (8, 6), (40 * n, 90, 160)) for n in range(frames)]
    file = io.BytesIO()
    if others:
        first.save(file, kind, save_all=True, append_images=others)
    else:
        first.save(file, kind)
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A PNG that says it has so many by so many pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + image("PNG")[33:]


def cover(name: str, *, document: str = "content/post.md") -> Blob | Finding:
    """Read the cover that a document in the working folder names."""
    root = Path.cwd()
    return read_cover(name, root / document, Context(root, root / "content"))


def put(name: str, content: bytes) -> Path:
    path = Path.cwd() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def refusal(name: str) -> str:
    found = cover(name)
    assert isinstance(found, Finding)
    assert (found.pointer, found.code, found.severity) == ("/coverImage", "cover", "error")
    assert found.remedy
    return found.message


@pytest.mark.parametrize(
    "content", [b"GIF87a(\0\x1e\0\x81" + bytes(14) + (b"," + bytes(6)) * 2 + b"," + bytes(4)]
)
def test_what_pillow_stumbles_over_is_no_cover(content: bytes) -> None:
    assert isinstance(measured("cover", content, Path()), Finding)


@pytest.mark.parametrize("kind", ["AVIF", "GIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_a_damaged_image_is_a_cover_or_none(kind: str) -> None:
    content = image(kind)
    for at in range(min(len(content), 400)):
        damaged = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        assert isinstance(measured("cover", damaged, Path()), (Blob, Finding))
        assert quality.cover(damaged, "/coverImage") is not None


@pytest.mark.parametrize(
    ("kind", "frames", "mime_type"),
    [
        ("PNG", 1, "image/png"),
        ("PNG", 2, "image/apng"),
        ("JPEG", 1, "image/jpeg"),
        ("MPO", 2, "image/jpeg"),
        ("WEBP", 1, "image/webp"),
        ("WEBP", 2, "image/webp"),
        ("GIF", 1, "image/gif"),
        ("GIF", 2, "image/gif"),
        ("AVIF", 1, "image/avif"),
        ("TIFF", 1, "image/tiff"),
        ("BMP", 1, "image/bmp"),
    ],
)
def test_the_type_comes_from_the_bytes_whatever_the_name_says(
    kind: str, frames: int, mime_type: str
) -> None:
    content = image(kind, frames=frames)
    path = put("content/cover.txt", content)
    assert cover("cover.txt") == Blob(Cid.of(content, RAW), mime_type, len(content), path)


@pytest.mark.parametrize(
    "content",
    [
        b"no image at all",
        b"",
        image("PNG")[:20],
        image("JPEG")[:10],
        b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n",
    ],
    ids=["text", "empty", "png-cut", "jpeg-cut", "svg", "pdf", "eps"],
)
def test_what_is_no_image_is_refused_whatever_its_name_says(content: bytes) -> None:
    put("content/cover.png", content)
    assert refusal("cover.png") == "the cover cover.png is no image that readers show"


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_an_image_with_too_many_pixels_is_refused_before_it_is_decoded(side: int) -> None:
    put("content/bomb.png", bomb(side))
    assert refusal("bomb.png") == "the cover bomb.png has too many pixels to be a cover"


def test_a_million_bytes_are_allowed() -> None:
    content = image("PNG").ljust(MAX_BYTES, b"\0")
    put("content/large.png", content)
    found = cover("large.png")
    assert isinstance(found, Blob)
    assert found.size == 1_000_000


def test_one_byte_more_is_not() -> None:
    put("content/large.png", image("PNG").ljust(MAX_BYTES + 1, b"\0"))
    message = "the cover large.png has 1,000,001 bytes; the most is 1,000,000"
    assert refusal("large.png") == message


@pytest.mark.parametrize("name", ["gone.png", "/gone.png", "", ".", "a\0b.png", "x" * 5000])
def test_a_cover_that_is_not_there_is_refused(name: str) -> None:
    put("content/post.md", b"")
    assert refusal(name).endswith("isn't there")


@pytest.mark.parametrize("name", ["https://example.com/a.png", "http://a/b", "file:///etc/passwd"])
def test_an_address_is_never_fetched(name: str) -> None:
    assert refusal(name) == f"the cover {name} is an address"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("cover.png", "content/blog/cover.png"),
        ("./images/cover.png", "content/blog/images/cover.png"),
        ("../shared.png", "content/shared.png"),
        ("../../project.png", "project.png"),
        ("/images/x.png", "content/images/x.png"),
        ("/images/x.png", "images/x.png"),
        ("/images/x.png", "static/images/x.png"),
        ("/images/x.png", "public/images/x.png"),
        ("/images/x.png", "assets/images/x.png"),
        ("/images/x.png", "src/images/x.png"),
    ],
)
def test_it_is_found_beside_the_document_or_where_generators_keep_files(
    name: str, place: str
) -> None:
    put(place, image("PNG"))
    put("content/blog/post.md", b"")
    found = cover(name, document="content/blog/post.md")
    assert isinstance(found, Blob)
    assert found.path
    assert found.path.samefile(place)


def test_the_folder_of_documents_comes_before_static() -> None:
    put("static/x.png", image("PNG"))
    near = put("content/x.png", image("GIF"))
    found = cover("/x.png")
    assert isinstance(found, Blob)
    assert found.path == near


def test_no_cover_comes_from_outside_the_project(tmp_path: Path) -> None:
    (tmp_path / "outside.png").write_bytes(image("PNG"))
    root = tmp_path / "project"
    root.mkdir()
    found = read_cover("../outside.png", root / "post.md", Context(root, root))
    assert isinstance(found, Finding)
    assert found.message == f"the cover ../outside.png lies outside {root}"


def test_no_symbolic_link_leads_outside_the_project(tmp_path: Path) -> None:
    (tmp_path / "outside.png").write_bytes(image("PNG"))
    root = tmp_path / "project"
    root.mkdir()
    (root / "cover.png").symlink_to(tmp_path / "outside.png")
    found = read_cover("cover.png", root / "post.md", Context(root, root))
    assert isinstance(found, Finding)
    assert found.message == f"the cover cover.png lies outside {root}"


def test_a_symbolic_link_inside_the_project_is_followed() -> None:
    target = put("images/real.png", image("PNG"))
    link = put("content/post.md", b"").with_name("cover.png")
    link.symlink_to(target)
    assert isinstance(cover("cover.png"), Blob)


def test_a_project_that_is_itself_behind_a_link_is_one_project(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "cover.png").write_bytes(image("PNG"))
    link = tmp_path / "link"
    link.symlink_to(real)
    assert isinstance(read_cover("cover.png", link / "post.md", Context(link, link)), Blob)
