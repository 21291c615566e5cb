"""Would a group of voxels rather have another tissue T1 than the one assumed for all?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.estimation.repetitions import Repetitions
from aslprep_nn.estimation.voxel_groups import voxel_groups
from aslprep_nn.misspecification.assessment import Assessment, assess
from aslprep_nn.misspecification.regions import region_tests
from aslprep_nn.misspecification.summary import FixedT1Test, RegionTests
from aslprep_nn.misspecification.voxel_tests import with_arterial
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: The brightest share of voxels that are given a T1 of their own (Wang, Tamir & Bush, 3.4).
BRIGHT_SHARE = 0.1
#: Tissue T1 is searched here, first at so many values, then to this precision [s].
T1_RANGE, N_T1, T1_PRECISION = (0.6, 2.5), 8, 1e-3


def fixed_t1_test(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    fit: Fit,
    assessment: Assessment,
    *,
    bright: Tensor | None = None,
    region: str = 'brightest 10 %',
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    device: torch.device | str = 'cpu',
) -> FixedT1Test | None:
    """Give a group of voxels the tissue T1 that fits it best, and see what that mends.

    Wang, Tamir & Bush (section 3.4) give the brightest tenth its own T1 and compare kappa before
    and after, which a wrong mean leaves as it was. Here one T1 for the group minimises its sum
    of squared residuals in units of each voxel's noise, with CBF and ATT fitted anew at every
    T1, and lack of fit and decay are compared instead. One number adapted to many voxels takes
    next to nothing from the degrees of freedom of each, so the tests after keep their level; in
    a group of a few voxels they reject too little. Outflow of label acts like a shorter T1.

    Parameters
    ----------
    relative_delta_m, acquisition, fit, slice_delay, t1_tissue, kinetics, device
        As in `assess`.
    assessment
        What `assess` found.
    bright
        The group, ``(voxel,)``, chosen without looking at the noise; the `brightest` tenth when
        absent.
    region
        Its name, for people.

    Returns
    -------
    None where no voxel of the group has a test of the model. Voxels in which arterial blood was
    fitted take no part.
    """
    if bright is None:
        bright = brightest(
            acquisition, fit, slice_delay=slice_delay, t1_tissue=t1_tissue, kinetics=kinetics
        )
    tested = torch.isfinite(assessment.statistics['pmodel']) & ~with_arterial(fit)
    tested = tested.to(bright.device) & bright.bool()
    if not bool(tested.any()):
        return None
    first = acquisition if isinstance(acquisition, Acquisition) else acquisition[0]
    assumed = (
        torch.full((len(bright),), first.t1_tissue, dtype=torch.float64)
        if t1_tissue is None
        else t1_tissue
    )
    places = tested.nonzero().squeeze(-1).cpu()
    group = _Group(
        relative_delta_m[places],
        acquisition,
        None if slice_delay is None else slice_delay[places],
        kinetics,
        torch.device(device),
    )
    before = assumed[places]
    own = group.best_t1(fit.noise[places])
    return group.compare(before, torch.full_like(before, own), region)


def compare_t1_maps(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    before: Tensor,
    after: Tensor,
    *,
    region: str,
    slice_delay: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    device: torch.device | str = 'cpu',
) -> FixedT1Test | None:
    """Compare two maps of tissue T1, such as one value for all and a measured map.

    Parameters
    ----------
    relative_delta_m, acquisition, slice_delay, kinetics, device
        As in `assess`, of the voxels of the region.
    before, after
        The T1 maps, ``(voxel,)`` [s]. The summary names their medians.
    region
        Its name, for people.

    Returns
    -------
    None where no voxel has a test of the model.
    """
    group = _Group(relative_delta_m, acquisition, slice_delay, kinetics, torch.device(device))
    found = group.compare(before, after, region)
    return found if np.isfinite(found.misfit_before) else None


def brightest(
    acquisition: Acquisition | Sequence[Acquisition],
    fit: Fit,
    *,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    share: float = BRIGHT_SHARE,
) -> Tensor:
    """Find the voxels with the largest mean signal.

    Of the fitted signal, not of the measurements: voxels that noise made bright deviate from
    their fit in a common way, which the tests of thousands of them together would notice.

    Parameters
    ----------
    acquisition, fit, slice_delay, t1_tissue, kinetics
        As in `assess`.
    share
        How many of the voxels with an estimate.

    Returns
    -------
    ``(voxel,)``, boolean.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    timings = Repetitions.of(acquisitions).acquisitions
    cbf, att = (fit.parameters[name].double() for name in ('cbf', 'att'))
    mean = torch.full_like(cbf, torch.nan)
    for group in voxel_groups(len(cbf), slice_delay, t1_tissue):
        here = group.voxels.to(cbf.device)
        t1 = None if t1_tissue is None else t1_tissue[group.voxels]
        model = SignalModel.of(
            timings, kinetics, slice_delay=group.slice_delay, t1_tissue=t1, device=cbf.device
        )
        mean[here] = model.linearize(cbf[here], att[here]).delta_m.mean(0)
    return mean >= mean.nanquantile(1 - share)


class _Tested(NamedTuple):
    """What one T1 gives: the tests of the group and its medians."""

    tests: RegionTests
    cbf: float
    kappa: float


class _Constants(TypedDict):
    slice_delay: Tensor | None
    t1_tissue: Tensor
    kinetics: Sequence[Kinetics] | None
    device: torch.device


class _Group(NamedTuple):
    """Voxels that are fitted with one T1 or another."""

    data: Tensor
    acquisition: Acquisition | Sequence[Acquisition]
    slice_delay: Tensor | None
    kinetics: Sequence[Kinetics] | None
    device: torch.device

    def best_t1(self, noise: Tensor) -> float:
        """Find the T1 that all voxels together fit best with, an end of the range included."""
        precision = noise.double().square().reciprocal()
        precision = torch.where(torch.isfinite(precision), precision, 0)

        def misfit(t1: float) -> float:
            residual = self.fit(torch.full((len(self.data),), t1)).residual
            return float((precision * residual).nansum())

        levels = np.geomspace(*T1_RANGE, N_T1)
        best = int(np.argmin([misfit(t1) for t1 in levels]))
        bounds = float(levels[max(best - 1, 0)]), float(levels[min(best + 1, N_T1 - 1)])
        found = minimize_scalar(
            misfit, bounds=bounds, method='bounded', options={'xatol': T1_PRECISION}
        )
        return float(found.x)

    def compare(self, before: Tensor, after: Tensor, region: str) -> FixedT1Test:
        """Test the group with one T1 and with another, ``(voxel,)`` each [s]."""
        old, new = (self._tested(t1) for t1 in (before, after))
        return FixedT1Test(
            region=region,
            n_voxels=len(self.data),
            t1_before=float(before.median()),
            t1_after=float(after.median()),
            p=old.tests.p['pdecay'],
            misfit_before=old.tests.rejected['pmodel'],
            misfit_after=new.tests.rejected['pmodel'],
            decay_before=old.tests.rejected['pdecay'],
            decay_after=new.tests.rejected['pdecay'],
            cbf_before=old.cbf,
            cbf_after=new.cbf,
            kappa_before=old.kappa,
            kappa_after=new.kappa,
        )

    def fit(self, t1_tissue: Tensor) -> Fit:
        """Fit CBF and ATT."""
        return fit_cbf_att(
            self.data,
            self.acquisition,
            slice_delay=self.slice_delay,
            t1_tissue=t1_tissue,
            kinetics=self.kinetics,
            dtype=torch.float64,
            device=self.device,
        )

    def _tested(self, t1_tissue: Tensor) -> _Tested:
        fit = self.fit(t1_tissue)
        constants: _Constants = {
            'slice_delay': self.slice_delay,
            't1_tissue': t1_tissue,
            'kinetics': self.kinetics,
            'device': self.device,
        }
        found = assess(self.data, self.acquisition, fit, **constants)
        whole = {'group': torch.ones(len(self.data), dtype=torch.bool)}
        (tests,) = region_tests(self.data, self.acquisition, fit, found, whole, **constants)
        medians = (fit.parameters['cbf'].nanmedian(), found.statistics['kappa'].nanmedian())
        return _Tested(tests, *map(float, medians))
