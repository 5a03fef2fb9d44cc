"""What `publish` survives: killed at each point and at any time, a disk that fails or is full.

`runner` runs the command in processes that can be ended at a point (`points`), `scenarios` are what
is published meanwhile, `checks` say what must be so afterwards. `make survive` runs all of it,
tests/test_survive_crashes.py and tests/test_survive_disk.py a part: `python -m tests.survive.crash
--help`, `python -m tests.survive.kill --help`.
"""
