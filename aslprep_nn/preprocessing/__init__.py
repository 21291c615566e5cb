"""From raw volumes to a still series of differences."""

import os

# ITK sums over threads in the order they finish, which moves a registration by a tenth of a
# millimetre between two identical calls. It reads this once, before its first use.
os.environ['ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS'] = '1'
