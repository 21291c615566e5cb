"""What an independent float64 implementation of the same experiments found.

It was written before this package and shares no code with it.
"""

from __future__ import annotations

from typing import NamedTuple

#: Relative difference within which numbers agree.
TOLERANCE = 0.05


class Expected(NamedTuple):
    """Mean losses of both bounds, R, and the loss of energy where recorded."""

    approximate: float
    exact: float
    ratio: float
    energy: float | None


#: By case, number of components and weight of the bounds.
LOSSES: dict[tuple[str, int, float], Expected] = {
    ('PCASL, 21 delays', 2, 0.0): Expected(0.312, 0.357, 0.91, 1.1e-2),
    ('PCASL, 21 delays', 3, 0.0): Expected(0.151, 0.157, 0.99, 2.0e-3),
    ('PCASL, 21 delays', 4, 0.0): Expected(0.122, 0.126, 1.00, 1.1e-3),
    ('PCASL, 21 delays', 2, 0.5): Expected(0.282, 0.313, 0.94, 3.4e-2),
    ('PCASL, 21 delays', 3, 0.5): Expected(0.144, 0.149, 0.99, 2.6e-3),
    ('PCASL, 21 delays', 4, 0.5): Expected(0.102, 0.105, 1.00, 1.9e-3),
    ('PCASL, 21 delays, T1 unknown', 3, 0.0): Expected(0.508, 0.586, 0.78, None),
    ('PCASL, 21 delays, T1 unknown', 3, 0.3): Expected(0.377, 0.416, 0.91, None),
}
#: Mean exact loss of the MRF-FISP miniature with three components, by weight; "about" these.
MRF_EXACT = {0.0: 0.20, 0.5: 0.13}
#: How far "about" reaches.
MRF_TOLERANCE = 0.03
#: Its estimates of white matter at three components, by weight [% of the truth].
MRF_T1_STD = {0.0: 3.71, 0.5: 3.19}
MRF_T2_BIAS = {0.0: 0.31, 0.5: 0.23}
