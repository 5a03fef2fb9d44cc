"""The signed commit at the top of a repo, its signature, and the did:key form of its key.

Sources: https://atproto.com/specs/repository#commit-objects and
https://atproto.com/specs/cryptography (P-256 and K-256, low-S, 64 bytes, multibase of compressed
points).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature as _Mismatch
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from publisher.archive.car import ArchiveError
from publisher.data import Cid, InvalidCbor, Value, decode, encode
from publisher.syntax import Did, check

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = ec.EllipticCurvePublicKey

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ORDER = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp256k1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
}
_MULTICODEC = {"secp256r1": b"\x80\x24", "secp256k1": b"\xe7\x01"}  # varints of 0x1200 and 0xe7
_CURVES: dict[bytes, ec.EllipticCurve] = {
    _MULTICODEC["secp256r1"]: ec.SECP256R1(),
    _MULTICODEC["secp256k1"]: ec.SECP256K1(),
}
_FIELDS = {"data", "did", "prev", "rev", "sig", "version"}


class InvalidSignature(ArchiveError):
    """The commit isn't signed by the key that it should be signed by."""


@dataclass(frozen=True, slots=True)
class SignedCommit:
    """A version 3 commit: `data` is the tree's root, `prev` is None in all current repos."""

    did: Did
    rev: str
    data: Cid
    prev: Cid | None
    sig: bytes

    def encode(self) -> bytes:
        """Return the commit's block."""
        return encode({**self._unsigned(), "sig": self.sig})

    def signed_bytes(self) -> bytes:
        """Return what the signature is over: the commit without `sig`."""
        return encode(self._unsigned())

    def _unsigned(self) -> dict[str, Value]:
        return {
            "data": self.data,
            "did": self.did,
            "prev": self.prev,
            "rev": self.rev,
            "version": 3,
        }


def sign_commit(did: Did, *, rev: str, data: Cid, key: PrivateKey) -> SignedCommit:
    """Return the commit for the tree `data`, signed."""
    unsigned = SignedCommit(did, rev, data, None, b"")
    return replace(unsigned, sig=sign(unsigned.signed_bytes(), key))


def parse_commit(block: bytes) -> SignedCommit:
    """Read a commit's block; the signature is not checked here. Raises ArchiveError."""
    try:
        value = decode(block)
    except InvalidCbor as error:
        raise ArchiveError(f"the commit is no DAG-CBOR: {error}") from error
    if not isinstance(value, dict) or value.keys() != _FIELDS:
        raise ArchiveError(f"the commit is not exactly {', '.join(sorted(_FIELDS))}")
    if value["version"] != 3:
        raise ArchiveError("the commit isn't version 3")
    did, rev, data, prev, sig = (value[name] for name in ("did", "rev", "data", "prev", "sig"))
    if not isinstance(did, str) or check("did", did):
        raise ArchiveError("the commit's did is no DID")
    if not isinstance(rev, str) or check("tid", rev):
        raise ArchiveError("the commit's rev is no TID")
    if not isinstance(data, Cid) or not isinstance(prev, Cid | None) or not isinstance(sig, bytes):
        raise ArchiveError("the commit's data, prev or sig is of the wrong kind")
    return SignedCommit(Did(did), rev, data, prev, sig)


def verify_commit(commit: SignedCommit, key: str) -> None:
    """Check the signature against a did:key. Raises InvalidSignature."""
    verify_signature(key, commit.signed_bytes(), commit.sig)


def sign(content: bytes, key: PrivateKey) -> bytes:
    """Return the 64 bytes of the low-S signature over SHA-256 of the content."""
    r, s = decode_dss_signature(key.sign(content, ec.ECDSA(SHA256())))
    s = min(s, _ORDER[key.curve.name] - s)
    return r.to_bytes(32) + s.to_bytes(32)


def verify_signature(key: str, content: bytes, sig: bytes) -> None:
    """Check a signature against a did:key. Raises InvalidSignature, ArchiveError for a bad key.

    Refused too: any length but 64 bytes, and high-S.
    """
    public = parse_did_key(key)
    if len(sig) != 64:
        raise InvalidSignature(f"the signature has {len(sig)} bytes instead of 64")
    r, s = int.from_bytes(sig[:32]), int.from_bytes(sig[32:])
    if s > _ORDER[public.curve.name] // 2:
        raise InvalidSignature("the signature is high-S")
    try:
        public.verify(encode_dss_signature(r, s), content, ec.ECDSA(SHA256()))
    except _Mismatch as error:
        raise InvalidSignature(f"the signature isn't one of {key}") from error


def did_key(key: PublicKey) -> Did:
    """Return the did:key of a P-256 or K-256 key."""
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    return Did("did:key:z" + _to_base58(_MULTICODEC[key.curve.name] + point))


def parse_did_key(text: str) -> PublicKey:
    """Return the key of a did:key (P-256 or K-256, compressed). Raises ArchiveError."""
    if not text.startswith("did:key:z") or len(text) > 128:
        raise ArchiveError(f"{text[:128]} is no did:key in base58btc")
    raw = _from_base58(text[9:])
    curve = _CURVES.get(raw[:2])
    if curve is None or len(raw) != 35:
        raise ArchiveError(f"{text} is no compressed P-256 or K-256 key")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, raw[2:])
    except ValueError as error:
        raise ArchiveError(f"{text} is no point on its curve") from error


def _to_base58(raw: bytes) -> str:
    """Encode bytes that don't begin with zero, as none of ours do."""
    number, text = int.from_bytes(raw), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return text


def _from_base58(text: str) -> bytes:
    number = 0
    for character in text:
        digit = _BASE58.find(character)
        if digit < 0:
            raise ArchiveError(f"{character!r} is no digit of base58")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
