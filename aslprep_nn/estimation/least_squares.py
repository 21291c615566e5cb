"""The least-squares fit of CBF and ATT, global by construction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.arguments import (
    require_arguments,
    require_basis,
    require_timings,
)
from aslprep_nn.estimation.fan import Fan
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.gauss_newton import Step, compiled_step
from aslprep_nn.estimation.information import (
    fisher_information,
    noise_level,
    smoothed_covariance,
)
from aslprep_nn.estimation.information_table import InformationTable
from aslprep_nn.estimation.macrovascular import (
    ArterialFans,
    arterial_estimates,
    calibrate_gain,
    gain_statistic,
)
from aslprep_nn.estimation.optimum import Optimum, estimates, find_optimum
from aslprep_nn.estimation.repetitions import Repetitions, Summary, without_absent
from aslprep_nn.estimation.voxel_groups import VoxelGroup, voxel_groups
from aslprep_nn.maps import FitStatus
from aslprep_nn.settings import Macrovascular
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: ATT is searched here [s].
ATT_RANGE = (0.0, 4.0)
#: Condition of the scaled information above which a voxel's measurements do not tell ATT.
UNTOLD_CONDITION = 1e4
#: Voxels times timings solved at once: what a processor's cache and an accelerator hold.
CPU_CHUNK, ACCELERATOR_CHUNK = 2**18, 2**25


def fit_cbf_att(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    *,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    weights: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    basis: Tensor | None = None,
    att_range: tuple[float, float] = ATT_RANGE,
    macrovascular: Macrovascular = Macrovascular.OFF,
    compiled: bool = False,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = 'cpu',
) -> Fit:
    """Fit CBF and ATT to every voxel by weighted least squares.

    Between two kinks the feasible signals form a cone spanned by the two kink signals, so one
    matrix product finds the interval that holds the global optimum, without grid or start
    value (`Fan`). Two Gauss-Newton steps inside that interval then account for the dependence
    of the decay on flow; near ties and kinks are solved on both sides.

    Parameters
    ----------
    relative_delta_m
        delta M / M0 of tissue, ``(voxel, measurement)``; NaN marks a missing measurement.
    acquisition
        The protocol, or several whose measurements follow one another.
    slice_delay
        Time after the first slice at which each voxel was read out, ``(voxel,)`` [s].
    t1_tissue
        Tissue T1 of each voxel, ``(voxel,)`` [s]; the acquisition's constant when absent.
    weights
        Relative precision of the measurements, ``(measurement,)`` or ``(voxel, measurement)``.
    kinetics
        The kinetic model of each acquisition; those their labelling calls for when absent.
    basis
        Orthonormal vectors, ``(measurement, component)``, where the data are coefficients in
        them (`estimation.subspace`): data and weights then have one entry per component instead
        of one per measurement, and what follows from repetitions of a measurement is lost.
    att_range
        Smallest and largest ATT [s].
    macrovascular
        Whether to fit label in arteries too.
    compiled
        Whether to compile the inner step, which needs a C++ compiler and some seconds, and pays
        from some tens of millions of voxels on.
    dtype, device
        Of the arithmetic.

    Returns
    -------
    A fit with the parameters ``cbf`` and ``att``, and ``arterial_blood_volume`` [1] unless
    ``macrovascular`` is off: NaN in voxels whose data do not call for it.

    Raises
    ------
    UnsupportedError
        If fewer than two distinct timings were measured.
    UsageError
        If the arguments do not fit together.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    n_measurements = sum(one.n_measurements for one in acquisitions)
    require_basis(basis, n_measurements, ('cbf', 'att'))
    repetitions = Repetitions.of(acquisitions, basis)
    require_arguments(
        relative_delta_m,
        n_measurements=repetitions.n_columns,
        slice_delay=slice_delay,
        t1_tissue=t1_tissue,
        weights=weights,
        att_range=att_range,
    )
    require_timings(repetitions, 2)
    task = _Task(
        repetitions=repetitions,
        kinetics=kinetics,
        data=relative_delta_m,
        t1_tissue=t1_tissue,
        weights=without_absent(relative_delta_m, weights),
        att_range=att_range,
        take_step=compiled_step() if compiled else None,
        dtype=dtype,
        device=torch.device(device),
    )
    names = ['cbf', 'att'] + ['arterial_blood_volume'] * (macrovascular is not Macrovascular.OFF)
    fit = Fit.nothing(len(relative_delta_m), names, dtype, torch.device(device))
    threshold = -torch.inf if macrovascular is Macrovascular.ON else None
    for group in voxel_groups(len(relative_delta_m), slice_delay, t1_tissue):
        task.fit_group(group, fit)
        if macrovascular is not Macrovascular.OFF:
            threshold = task.add_arterial(group, fit, threshold)
    return fit


@dataclass(frozen=True)
class _Task:
    """What all voxels of one call share."""

    repetitions: Repetitions
    kinetics: Sequence[Kinetics] | None
    data: Tensor
    t1_tissue: Tensor | None
    weights: Tensor | None
    att_range: tuple[float, float]
    take_step: Step | None
    dtype: torch.dtype
    device: torch.device

    def fit_group(self, group: VoxelGroup, fit: Fit) -> None:
        """Fit the voxels of a group and write them to ``fit``."""
        fan = self._fan(self.reference(group))
        table = InformationTable.of(
            self.reference(group),
            self.repetitions.shared_weight(self.weights),
            att_range=self.att_range,
            dtype=self.dtype,
        ).to(self.device)
        for voxels in group.chunks(self._chunk_size):
            model, data = self.model(group, voxels), self.summarize(voxels)
            optimum = find_optimum(fan, model, data, self.take_step)
            part = _estimate(optimum, table, model, data)
            fit.put(voxels, _with_early_spread(part, fan.early_spread))

    def add_arterial(self, group: VoxelGroup, fit: Fit, threshold: float | None) -> float:
        """Replace the fit of voxels that gain more than a threshold from an arterial term.

        The threshold is calibrated where it is None; it is returned for the next group.
        """
        reference = self.reference(group)
        fans = ArterialFans.of(
            reference,
            self.repetitions.shared_weight(self.weights),
            self._fan,
        )
        for voxels in group.chunks(self._chunk_size):
            model, data = self.model(group, voxels), self.summarize(voxels)
            if threshold is None:
                plain = self._fan(reference)
                threshold = calibrate_gain(model, plain, fans, data)
            found = fans.fit(model, data)
            gain = gain_statistic(data, fit.residual[voxels] - data.scatter, found.optimum.cost)
            kept = (found.passage >= 0) & (gain > threshold)
            fit.put(voxels, arterial_estimates(found, fans, model, data), kept)
        return -torch.inf if threshold is None else threshold

    def _fan(self, model: SignalModel) -> Fan:
        return Fan.of(
            model,
            self.repetitions.shared_weight(self.weights),
            att_range=self.att_range,
            dtype=self.dtype,
        ).to(self.device)

    @property
    def _chunk_size(self) -> int:
        """Number of voxels solved at once: as many as the processor's cache holds."""
        elements = CPU_CHUNK if self.device.type == 'cpu' else ACCELERATOR_CHUNK
        return max(1024, elements // self.repetitions.n_timings)

    def reference(self, group: VoxelGroup) -> SignalModel:
        """Build the signal model of a group's distinct timings, in float64."""
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=group.t1_tissue,
        ).in_basis(self.repetitions.basis)

    def model(self, group: VoxelGroup, voxels: Tensor | slice) -> SignalModel:
        """Build the signal model of some voxels of a group, in the precision of the fit."""
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=None if self.t1_tissue is None else self.t1_tissue[voxels],
            dtype=self.dtype,
            device=self.device,
        ).in_basis(self.repetitions.basis)

    def summarize(self, voxels: Tensor | slice) -> Summary:
        """Collapse the measurements of some voxels."""
        weights = self.weights
        return self.repetitions.summarize(
            self.data[voxels].to(device=self.device, dtype=self.dtype),
            weights if weights is None or weights.ndim == 1 else weights[voxels],
        )


def _with_early_spread(fit: Fit, spread: float) -> Fit:
    """Add to the uncertainty of CBF, where ATT is not told, what ATT would have told of it."""
    untold = fit.status == FitStatus.ATT_NOT_IDENTIFIABLE
    wider = (fit.std['cbf'].square() + (spread * fit.parameters['cbf']).square()).sqrt()
    std = {**fit.std, 'cbf': torch.where(untold, wider, fit.std['cbf'])}
    return replace(fit, std=std)


def _estimate(optimum: Optimum, table: InformationTable, model: SignalModel, data: Summary) -> Fit:
    """Add to optima how sure they are."""
    noise = noise_level(data, optimum.cost, n_parameters=2)
    point = optimum.cbf, optimum.att
    if data.weight.shape[-1] == 1:
        return estimates(optimum, table.covariance(*point, noise), data, noise)
    condition = fisher_information(model, *point, data.weight).scaled_condition
    untold = (condition > UNTOLD_CONDITION) & (optimum.cbf > 0)
    optimum.status[untold & (optimum.status != FitStatus.FAILED)] = FitStatus.ATT_NOT_IDENTIFIABLE
    covariance = smoothed_covariance(model, *point, data.weight, noise=noise)
    return estimates(optimum, covariance, data, noise)
