"""A repo in a folder: signed commits, blobs and compare-and-swap without a server.

    repo.sqlite     the records, their tree, the signed commit, which blobs there are
    blobs/<cid>     the blobs' bytes
    signing.key     the private key (K-256, PEM, mode 0600); its did:key is the repo's DID
    .gitignore      keeps the key out of version control

SQLite runs with its default rollback journal rather than a write-ahead log: at rest the repo is
these files and no others, so it can be copied or read from a read-only disk, and reading writes
nothing (save for undoing what a killed process left half done). Every operation opens its own
connection, so that threads and processes may share a repo.
"""

from __future__ import annotations

from publisher.folder.repo import MAX_BYTES, MAX_WRITES, FolderRepo

__all__ = ["MAX_BYTES", "MAX_WRITES", "FolderRepo"]
