"""Faults put into the engine on purpose: what the tests are held to."""
