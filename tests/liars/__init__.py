"""The liars' catalogue: what a server, an owner or a folder may try on a pull."""
