"""Each library and the packages that it needs, a line for each; for bin/bench, which gets them."""

from __future__ import annotations

from benchmarks.peers.listed import LIBRARIES

for name, packages in LIBRARIES.items():
    print(name, packages)
