"""A repo brought into a folder: proven, written file by file, and remembered for the next time."""
