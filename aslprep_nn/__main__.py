"""Run the app as ``python -m aslprep_nn``."""

import sys

from aslprep_nn.cli.run import main

if __name__ == '__main__':
    sys.exit(main())
