"""Keeps a folder of documents and an AT Protocol repo in step."""

__version__ = "0.1.0"
