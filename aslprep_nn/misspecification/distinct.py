"""Which directions are a test of their own, and which say what others have said."""

from __future__ import annotations

import torch
from torch import Tensor

from aslprep_nn.misspecification.arterial import LEAST_ENERGY
from aslprep_nn.misspecification.projections import COLLINEAR, Projections

#: Where less than this part of the energy of a direction is not that of tissue decay, it is the
#: same direction. Between two kinks the signals of one decay rate lie in a plane that CBF and
#: ATT leave only through that rate. So nearly all directions are either alike to rounding (1e-8)
#: or further apart than this.
LEAST_DIFFERENCE = 0.01


def told_from_parameters(raw: Projections, rest: Projections, n_derivatives: int) -> Tensor:
    """Find the directions of which the parameters leave something, ``(direction, voxel)``.

    As many timings as parameters leave nothing, and one more leaves a single direction: what
    lies along others then is rounding.

    Parameters
    ----------
    raw, rest
        Before and after what parameters explain is taken from them.
    n_derivatives
        How many directions come before the shapes of arterial blood, which must keep more.
    """
    least = torch.full_like(raw.energy[:, :1], LEAST_ENERGY)
    least[:n_derivatives] = COLLINEAR**2
    told = rest.energy > least * raw.energy
    if raw.vectors.n_timings < raw.n_parameters + 2:
        told[max(raw.vectors.n_timings, raw.n_parameters) :] = False
    return told


def distinct(raw: Projections, rest: Projections, n_derivatives: int) -> Tensor:
    """Find the directions that neither parameters nor tissue decay explain already.

    With delays half a second apart a mixture of arrivals often stays between two kinks, and with
    an arrival before all delays but one a longer label acts on all others alike: what CBF and
    ATT leave of them then is exactly the direction of tissue decay. Two tests of the same
    deviation would pay for each other, and rounding would choose its name.

    Parameters
    ----------
    raw, rest, n_derivatives
        As in `told_from_parameters`; tissue decay is the first direction after the parameters.
    """
    told = told_from_parameters(raw, rest, n_derivatives)
    decay = rest.n_parameters
    same = told[decay] & (rest.likeness(decay) > 1 - LEAST_DIFFERENCE)
    same[: decay + 1] = False
    return told & ~same
