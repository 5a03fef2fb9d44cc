"""The commands: each takes values, returns a report, prints nothing."""
