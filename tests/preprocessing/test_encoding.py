"""Time-encoded volumes are decoded cycle by cycle."""

import numpy as np
from scipy.linalg import hadamard

from aslprep_nn.preprocessing.encoding import decode_cycles


def test_each_cycle_gives_its_own_sub_boluses():
    rng = np.random.default_rng(3)
    labelled = (hadamard(4)[:, 1:] < 0).astype(int)
    boluses = rng.uniform(1, 5, (2, 2, 2, 2, 3))
    static = rng.uniform(100, 200, (2, 2, 2, 2, 1))
    encoded = (static - boluses @ labelled.T).reshape(2, 2, 2, 8)
    decoded = decode_cycles(encoded, labelled.tolist())
    assert decoded.shape == (2, 2, 2, 6)
    np.testing.assert_allclose(decoded, boluses.reshape(2, 2, 2, 6), atol=1e-10)
