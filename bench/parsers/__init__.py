"""Every parser of foreign bytes: by which function it is called, with what, and what it may answer.

A parser's right outcome is a value or one of its declared refusals; `bench.hostile` looks for
any other. One more is a line in a subject's `PARSERS`, and a renamed one a line where it is
imported. Seeds are made here, and taken from `../shared` where that is there.
"""

from bench.parsers import competition, files_3d, http

PARSERS = competition.PARSERS | files_3d.PARSERS | http.PARSERS
