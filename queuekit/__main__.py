"""`python -m queuekit`: the command line."""

import sys

from queuekit.cli import main

if __name__ == "__main__":
    sys.exit(main())
