"""The fuzz campaign: seeded, structure-aware mutation through everything that reads from outside.

`make fuzz` runs all of it, tests/test_fuzz.py a little of it. Each input is made from the seed, its
target's name and its number alone, so it can be made again: `python -m tests.fuzz --help`.
"""
