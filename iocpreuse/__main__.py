"""`python -m iocpreuse`."""

import sys

from iocpreuse.cli import main

if __name__ == "__main__":
    sys.exit(main())
