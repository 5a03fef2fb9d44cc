"""The AT Protocol data model: strict JSON, DAG-CBOR, CIDs. Pure."""

from publisher.data.blob import BlobRef, blob_places, blob_refs
from publisher.data.cbor import InvalidCbor, Value, decode, encode, record_cid
from publisher.data.check import MAX_DEPTH, SERVERS_REFUSE, Fault, check, is_sound_type, is_text
from publisher.data.cid import DAG_CBOR, RAW, Cid, InvalidCid, blob_cid
from publisher.data.json import DataError, compact, dumps, from_plain, loads, to_plain

__all__ = [
    "DAG_CBOR",
    "MAX_DEPTH",
    "RAW",
    "SERVERS_REFUSE",
    "BlobRef",
    "Cid",
    "DataError",
    "Fault",
    "InvalidCbor",
    "InvalidCid",
    "Value",
    "blob_cid",
    "blob_places",
    "blob_refs",
    "check",
    "compact",
    "decode",
    "dumps",
    "encode",
    "from_plain",
    "is_sound_type",
    "is_text",
    "loads",
    "record_cid",
    "to_plain",
]
