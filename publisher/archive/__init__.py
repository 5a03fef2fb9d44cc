"""A repo as bytes: the CAR file, the Merkle search tree, the signed commit, the proof. Pure.

Source: the AT Protocol repository specification (https://atproto.com/specs/repository) and that
of CAR version 1 (https://ipld.io/specs/transport/car/carv1/).
"""

from publisher.archive.car import (
    ArchiveError,
    Car,
    CarFile,
    MissingBlock,
    read_blocks,
    read_car,
    write_car,
)
from publisher.archive.commit import (
    InvalidSignature,
    SignedCommit,
    did_key,
    parse_commit,
    parse_did_key,
    sign,
    sign_commit,
    verify_commit,
    verify_signature,
)
from publisher.archive.edit import Edited, edit_tree
from publisher.archive.items import Items
from publisher.archive.mst import RootEdge, Tree, build_tree, iter_items, iter_nodes, walk_tree
from publisher.archive.node import key_depth
from publisher.archive.partial import Get, Part, walk_part
from publisher.archive.proof import Proven, Proving, RecordProof, begin_proof, prove, prove_record
from publisher.archive.verify import VerifiedRepo, verify_car

__all__ = [
    "ArchiveError",
    "Car",
    "CarFile",
    "Edited",
    "Get",
    "InvalidSignature",
    "Items",
    "MissingBlock",
    "Part",
    "Proven",
    "Proving",
    "RecordProof",
    "RootEdge",
    "SignedCommit",
    "Tree",
    "VerifiedRepo",
    "begin_proof",
    "build_tree",
    "did_key",
    "edit_tree",
    "iter_items",
    "iter_nodes",
    "key_depth",
    "parse_commit",
    "parse_did_key",
    "prove",
    "prove_record",
    "read_blocks",
    "read_car",
    "sign",
    "sign_commit",
    "verify_car",
    "verify_commit",
    "verify_signature",
    "walk_part",
    "walk_tree",
    "write_car",
]
