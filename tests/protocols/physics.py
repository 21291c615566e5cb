"""What label does to a voxel, integrated numerically: the truth the app is held to.

Nothing of `aslprep_nn.signal` is used here, so that a delay that is read from the wrong moment
cannot cancel out.
"""

from dataclasses import dataclass

import numpy as np

LAMBDA = 0.9
N_STEPS = 2000


@dataclass(frozen=True)
class Physics:
    """What is true of blood and tissue; ``t1_tissue`` None lets label decay as in blood.

    ``t1_static`` is that of the tissue which M0 is measured in. Decay as in blood is what the
    consensus formulas for one delay assume (Alsop et al. 2015).
    """

    labeling: str = 'PCASL'
    efficiency: float = 0.85
    t1_blood: float = 1.65
    t1_tissue: float | None = 1.2
    cut_off: str = ''
    t1_static: float = 1.2


def delta_m(
    cbf: float, att: float, physics: Physics, *, pld: float, duration: float, late: float = 0.0
) -> float:
    """Integrate what arrives over what is left of it, as a fraction of M0 of tissue.

    Parameters
    ----------
    pld, duration
        As BIDS counts them; for PASL TI and TI1 [s].
    late
        How long after the first slice this one is read out [s].
    """
    flow = cbf / 6000
    continuous = physics.labeling in ('PCASL', 'CASL')
    readout = pld + late + (duration if continuous else 0)
    first, last = {
        'PCASL': (att, att + duration),
        'CASL': (att, att + duration),
        'PASL': (att, att + duration),
        'VSASL': (0.0, att),
    }[physics.labeling]
    if physics.cut_off == 'QUIPSS':
        first, last = max(att, duration), np.inf
    first, last = min(first, readout), min(last, readout)
    edges = np.linspace(first, last, N_STEPS + 1)
    when = (edges[1:] + edges[:-1]) / 2
    age = np.full(N_STEPS, att) if continuous else when
    rate = 1 / physics.t1_blood
    if physics.t1_tissue is not None:
        rate = 1 / physics.t1_tissue + flow / LAMBDA
    left = np.exp(-age / physics.t1_blood - rate * (readout - when))
    return float(2 * physics.efficiency * flow / LAMBDA * left.mean() * (last - first))
