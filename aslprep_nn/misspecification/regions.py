"""What the tests say of a region as a whole: the brain, grey matter, a territory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.assessment import Assessment
from aslprep_nn.misspecification.consistency import IDENTIFIED_ATT
from aslprep_nn.misspecification.multiplicity import VoxelClass, discoveries
from aslprep_nn.misspecification.pooled_scores import pooled_scores
from aslprep_nn.misspecification.summary import RegionTests
from aslprep_nn.misspecification.voxel_tests import SCORE_NAMES, with_arterial
from aslprep_nn.signal.response import Kinetics

#: Below this a p-value is called rejected.
LEVEL = 0.05
#: The maps whose voxels' p-values are combined; the score tests are pooled in their own way.
COMBINED = ('pnoise', 'ptrace', 'pmodel')
#: The maps of p-values.
P_NAMES = (*COMBINED, *(p for _, p in SCORE_NAMES.values()), 'phausman')
#: The statistics whose medians are given.
MEDIANS = (
    *('kappa', 'lambdamax', 'lambdamin', 'trace', 'kl', 'lackoffit'),
    *(t for t, _ in SCORE_NAMES.values()),
    *('hausman', 'subsetcbf', 'subsetatt'),
)
#: Where tan(pi (1/2 - p)) is 1 / (pi p) to rounding.
TINY = 1e-12


#: Standard deviations by which ATT has to lie after the first delay and before the last.
CLEAR = 3.0


def region_tests(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    fit: Fit,
    assessment: Assessment,
    regions: Mapping[str, Tensor],
    *,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    false_discovery_rate: float = 0.05,
    device: torch.device | str = 'cpu',
) -> tuple[RegionTests, ...]:
    """Count what was found in regions, and test each as a whole.

    The score tests are made again with the voxels of a region added up (`pooled_scores`), so
    that a small deviation which many voxels share is found. For the tests of the noise and the
    lack of fit the voxels' p-values are combined (`combined_p`). Early and late delays have no
    p-value of a region: combined, those of 1,568 correct voxels were rejected in up to .10.

    Parameters
    ----------
    relative_delta_m, acquisition, fit, slice_delay, t1_tissue, kinetics, device
        As in `assess`.
    assessment
        What `assess` found.
    regions
        Which voxels lie in each, ``(voxel,)``, by the name of the region; they may overlap, and
        the first is the brain.
    false_discovery_rate
        At which each test alone claims voxels of the brain.
    """
    if not regions:
        return ()
    masks = torch.stack([mask.bool() for mask in regions.values()]).to(device)
    # the scores are of CBF and ATT alone, and start from a fit that noise must not have bent
    modelled = ~with_arterial(fit) & _is_settled(fit, acquisition, slice_delay)
    modelled = modelled.to(device) & torch.isfinite(assessment.statistics['pmodel']).to(device)
    scores = pooled_scores(
        relative_delta_m,
        acquisition,
        fit,
        masks & modelled,
        slice_delay=slice_delay,
        t1_tissue=t1_tissue,
        kinetics=kinetics,
        device=device,
    )
    maps = _Maps.of(assessment, masks[0], false_discovery_rate)
    names = [p for _, p in SCORE_NAMES.values()]
    return tuple(
        maps.of_region(name, mask, dict(zip(names, p, strict=True)))
        for name, mask, p in zip(regions, masks, scores.mT.tolist(), strict=True)
    )


@dataclass(frozen=True)
class _Maps:
    """What is counted in regions.

    Parameters
    ----------
    p, statistics
        By the name of the map, ``(voxel,)``.
    claims
        What each test alone claims in the brain, by the name of its p, ``(voxel,)``.
    classes
        ``(voxel,)``.
    """

    p: Mapping[str, Tensor]
    statistics: Mapping[str, Tensor]
    claims: Mapping[str, Tensor]
    classes: Tensor

    @classmethod
    def of(cls, assessment: Assessment, brain: Tensor, rate: float) -> _Maps:
        """Claim voxels of the brain test by test."""
        maps = {name: values.to(brain.device) for name, values in assessment.statistics.items()}
        p = {name: maps[name] for name in P_NAMES}
        claims = {
            name: discoveries(torch.where(brain, values, torch.nan), rate)
            for name, values in p.items()
        }
        statistics = {name: maps[name] for name in MEDIANS}
        return cls(p, statistics, claims, assessment.classes.to(brain.device))

    def of_region(self, name: str, mask: Tensor, scores: Mapping[str, float]) -> RegionTests:
        """Count; ``scores`` are the p-values of the region's score tests."""
        here = {key: values[mask] for key, values in self.p.items()}
        finite = {key: torch.isfinite(values) for key, values in here.items()}
        tested = torch.stack(list(finite.values())).any(0)
        combined = {key: combined_p(here[key]) for key in COMBINED}
        return RegionTests(
            region=name,
            n_voxels=int(mask.sum()),
            n_tested=int(tested.sum()),
            rejected={key: _share(values, LEVEL) for key, values in here.items()},
            claimed=_claimed(self.classes[mask][tested]),
            p={**combined, **scores, 'phausman': math.nan},
            n_tested_by={key: int(known.sum()) for key, known in finite.items()},
            n_claimed_by={key: int(one[mask].sum()) for key, one in self.claims.items()},
            median={key: float(one[mask].nanmedian()) for key, one in self.statistics.items()},
        )


def _is_settled(
    fit: Fit, acquisition: Acquisition | Sequence[Acquisition], slice_delay: Tensor | None
) -> Tensor:
    """Find voxels whose ATT is told well and surely lies between two delays, ``(voxel,)``.

    Elsewhere noise bends the fit to one side, by the same in all voxels of a region.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else acquisition
    delays = [pld for each in acquisitions for pld in each.pld]
    later = torch.zeros_like(fit.noise) if slice_delay is None else slice_delay.to(fit.noise)
    att, std = fit.parameters['att'], fit.std['att']
    told = (fit.status == FitStatus.CONVERGED) | (fit.status == FitStatus.ON_KINK)
    early, late = att - CLEAR * std, att + CLEAR * std
    inside = (early > min(delays) + later) & (late < max(delays) + later)
    return told & (std < IDENTIFIED_ATT) & inside


def combined_p(p: Tensor) -> float:
    """Combine the p-values of many voxels, however they depend on one another.

    The mean of tan(pi (1/2 - p)) is Cauchy distributed where the p-values are independent, and
    its upper tail remains so under dependence, the more exactly the smaller p is (Liu & Xie
    2020, J Am Stat Assoc 115:393). It reacts to a few very small p-values more than to many
    moderate ones.

    Parameters
    ----------
    p
        ``(voxel,)``; NaN takes no part.

    Returns
    -------
    p of the region; NaN where no voxel has one.
    """
    p = p[torch.isfinite(p)].double()
    if not len(p):
        return math.nan
    # a p of 1, which rounding makes, would outweigh all others
    p = torch.where(p > 1 - TINY, 1 - 1 / (2 * len(p)), p).clamp(min=torch.finfo(p.dtype).tiny)
    cotangent = torch.where(p < TINY, 1 / (math.pi * p), torch.tan(math.pi * (0.5 - p)))
    return math.atan2(1.0, float(cotangent.mean())) / math.pi


def _share(p: Tensor, level: float) -> float:
    tested = p[torch.isfinite(p)]
    return float((tested < level).double().mean())


def _claimed(classes: Tensor) -> dict[str, float]:
    shares = torch.bincount(classes.long(), minlength=len(VoxelClass)) / max(len(classes), 1)
    return {label.name: float(shares[label]) for label in VoxelClass}
