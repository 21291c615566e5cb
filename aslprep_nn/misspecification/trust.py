"""How far to trust a run: every test of its voxels, and what they amount to."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.misspecification.absent import measured_part
from aslprep_nn.misspecification.assessment import Assessment, assess
from aslprep_nn.misspecification.bootstrap import convergence
from aslprep_nn.misspecification.fixed_parameter import fixed_t1_test
from aslprep_nn.misspecification.limits import typical_count
from aslprep_nn.misspecification.regions import region_tests
from aslprep_nn.misspecification.summary import TrustSummary
from aslprep_nn.misspecification.voxel_tests import SCORE_NAMES
from aslprep_nn.settings import TrustOptions

#: The p-values that classes follow from.
CLASSIFYING = ('pnoise', 'pmodel', *(p for _, p in SCORE_NAMES.values()))


def known_classes(found: Assessment) -> Tensor:
    """Give the class of each voxel, ``(voxel,)``; NaN where nothing could be tested."""
    p = torch.stack([found.statistics[name] for name in CLASSIFYING])
    tested = torch.isfinite(p).any(0)
    return torch.where(tested, found.classes.to(p), torch.nan)


def assess_run(
    relative_delta_m: Tensor,
    acquisition: Acquisition,
    fit: Fit,
    regions: Mapping[str, Tensor],
    *,
    slice_delay: Tensor | None = None,
    options: TrustOptions | None = None,
    seed: int = 1,
    device: torch.device | str = 'cpu',
) -> tuple[Assessment, TrustSummary]:
    """Test noise and model in every voxel, in regions, and as repetitions become more.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 of tissue, ``(voxel, measurement)``; NaN marks a missing measurement.
    acquisition, fit, slice_delay, device
        As in `assess`.
    regions
        Which voxels lie in each, ``(voxel,)``, by the name of the region; they may overlap, and
        the first is the brain.
    options
        How much is tested; the standard choice when absent.
    seed
        Of the subsets drawn.
    """
    options = options or TrustOptions()
    relative_delta_m, (acquisition,), absent = measured_part(relative_delta_m, (acquisition,))
    measured = relative_delta_m, acquisition, fit
    found = assess(
        *measured,
        slice_delay=slice_delay,
        false_discovery_rate=options.false_discovery_rate,
        device=device,
    )
    settled = convergence(
        *measured, n_draws=options.n_draws, seed=seed, slice_delay=slice_delay, device=device
    )
    summary = TrustSummary(
        false_discovery_rate=options.false_discovery_rate,
        limits=(*absent, *found.limits),
        regions=region_tests(
            *measured,
            found,
            regions,
            slice_delay=slice_delay,
            false_discovery_rate=options.false_discovery_rate,
            device=device,
        ),
        n_repetitions=typical_count(found.n_repetitions),
        convergence=settled,
        fixed_t1=fixed_t1_test(*measured, found, slice_delay=slice_delay, device=device),
    )
    return found, summary
