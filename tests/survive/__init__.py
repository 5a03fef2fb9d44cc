"""What a publish survives: killed anywhere, cut off anywhere, refused anything.

`world` makes a site on the reference PDS and says when it has converged; `crash` runs the command
and ends the process at a chosen point; `faults` puts faults between the program and the server.
tests/test_survive_*.py run a short form, `make survive` all of it.
"""
