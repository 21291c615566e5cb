"""The least-squares fit of CBF and ATT, global by construction."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.errors import Problem, UnsupportedError
from aslprep_nn.estimation.fan import Fan
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.information import noise_level, smoothed_covariance
from aslprep_nn.estimation.information_table import InformationTable
from aslprep_nn.estimation.optimum import find_optimum
from aslprep_nn.estimation.repetitions import Repetitions, Summary
from aslprep_nn.maps import FitStatus
from aslprep_nn.signal.model import SignalModel
from aslprep_nn.signal.response import Kinetics

#: ATT is searched here [s].
ATT_RANGE = (0.0, 4.0)
#: CBF that sets the decay rate at which the cones are built [mL/100 g/min].
EXPECTED_CBF = 60.0
#: Where CBF turns out further from that than half a step, cones nearer to it are tried too.
CBF_STEP = 150.0
MOST_CBF_STEPS = 10
#: Voxels times timings solved at once: what a processor's cache and an accelerator hold.
CPU_CHUNK, ACCELERATOR_CHUNK = 2**17, 2**25
#: Ratio of neighbouring tissue T1 for which cones are built.
T1_STEP = 1.15


def fit_cbf_att(
    relative_delta_m: Tensor,
    acquisition: Acquisition | Sequence[Acquisition],
    *,
    slice_delay: Tensor | None = None,
    t1_tissue: Tensor | None = None,
    weights: Tensor | None = None,
    kinetics: Sequence[Kinetics] | None = None,
    att_range: tuple[float, float] = ATT_RANGE,
    expected_cbf: float = EXPECTED_CBF,
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
    att_range
        Smallest and largest ATT [s].
    expected_cbf
        Typical CBF: 60 in the brain, 300 in the kidney [mL/100 g/min].
    dtype, device
        Of the arithmetic.

    Returns
    -------
    A fit with the parameters ``cbf`` and ``att``.

    Raises
    ------
    UnsupportedError
        If fewer than two distinct timings were measured.
    """
    acquisitions = (acquisition,) if isinstance(acquisition, Acquisition) else tuple(acquisition)
    repetitions = Repetitions.of(acquisitions)
    _require_two_timings(repetitions)
    task = _Task(
        repetitions=repetitions,
        kinetics=kinetics,
        data=relative_delta_m,
        t1_tissue=t1_tissue,
        weights=weights,
        att_range=att_range,
        dtype=dtype,
        device=torch.device(device),
    )
    fit = _nothing(len(relative_delta_m), dtype, device)
    for group in _groups(len(relative_delta_m), slice_delay, t1_tissue):
        task.fit_group(group, expected_cbf, fit)
        cbf = fit.parameters['cbf'][group.voxels].nan_to_num(expected_cbf)
        level = ((cbf - expected_cbf) / CBF_STEP).round().cpu()
        level = level.clamp(min=-(expected_cbf // CBF_STEP), max=MOST_CBF_STEPS)
        for steps in set(level[level != 0].tolist()):
            some = replace(group, voxels=group.voxels[level == steps])
            task.fit_group(some, expected_cbf + steps * CBF_STEP, fit)
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
    dtype: torch.dtype
    device: torch.device

    def fit_group(self, group: _Group, expected_cbf: float, fit: Fit) -> None:
        """Fit the voxels of a group, writing to ``fit`` those that no earlier fit suits better."""
        reference = self.model(group, group.t1_tissue, torch.float64, torch.device('cpu'))
        weight = self.repetitions.shared_weight(self.weights)
        table = InformationTable.of(
            reference,
            weight,
            expected_cbf=expected_cbf,
            att_range=self.att_range,
            dtype=self.dtype,
        ).to(self.device)
        fan = Fan.of(
            reference,
            weight,
            expected_cbf=expected_cbf,
            att_range=self.att_range,
            dtype=self.dtype,
        ).to(self.device)
        for voxels in group.chunks(self._chunk_size):
            t1 = None if self.t1_tissue is None else self.t1_tissue[voxels]
            model = self.model(group, t1, self.dtype, self.device)
            data = self.summarize(voxels)
            found = _fit_chunk(fan, table, model, data)
            earlier = data.with_rounding(fit.residual[voxels] - data.scatter)
            kept = ~(found.residual - data.scatter > earlier)
            _put(fit, voxels, found, kept)

    @property
    def _chunk_size(self) -> int:
        """Number of voxels solved at once: as many as the processor's cache holds."""
        elements = CPU_CHUNK if self.device.type == 'cpu' else ACCELERATOR_CHUNK
        return max(1024, elements // self.repetitions.n_timings)

    def model(
        self, group: _Group, t1_tissue: Tensor | None, dtype: torch.dtype, device: torch.device
    ) -> SignalModel:
        """Build the signal model of the distinct timings in a group."""
        return SignalModel.of(
            self.repetitions.acquisitions,
            self.kinetics,
            slice_delay=group.slice_delay,
            t1_tissue=t1_tissue,
            dtype=dtype,
            device=device,
        )

    def summarize(self, voxels: Tensor) -> Summary:
        """Collapse the measurements of some voxels."""
        weights = self.weights
        return self.repetitions.summarize(
            self.data[voxels].to(device=self.device, dtype=self.dtype),
            weights if weights is None or weights.ndim == 1 else weights[voxels],
        )


@dataclass(frozen=True)
class _Group:
    """Voxels that share a slice delay and nearly share a tissue T1."""

    voxels: Tensor
    slice_delay: Tensor | None
    t1_tissue: Tensor | None

    def chunks(self, size: int) -> Iterator[Tensor]:
        """Yield the voxels few at a time."""
        for begin in range(0, len(self.voxels), size):
            yield self.voxels[begin : begin + size]


def _groups(
    n_voxels: int, slice_delay: Tensor | None, t1_tissue: Tensor | None
) -> Iterator[_Group]:
    everything = torch.arange(n_voxels)
    if slice_delay is None and t1_tissue is None:
        yield _Group(everything, None, None)
        return
    delay = torch.zeros(n_voxels) if slice_delay is None else slice_delay.cpu()
    step = math.log(T1_STEP)
    t1_bin = torch.zeros(n_voxels) if t1_tissue is None else (t1_tissue.cpu().log() / step).round()
    kinds, kind = torch.unique(
        torch.stack([delay.double(), t1_bin.double()]), dim=1, return_inverse=True
    )
    order = kind.argsort(stable=True)
    sizes = kind.bincount().tolist()
    for (group_delay, group_bin), voxels in zip(
        kinds.mT, torch.split_with_sizes(order, sizes), strict=True
    ):
        yield _Group(
            voxels,
            None if slice_delay is None else group_delay,
            None if t1_tissue is None else (group_bin * step).exp(),
        )


def _require_two_timings(repetitions: Repetitions) -> None:
    if repetitions.n_timings > 1:
        return
    raise UnsupportedError(
        Problem(
            'acquisition',
            'PostLabelingDelay',
            f'{repetitions.acquisitions[0].pld[0]} s only',
            'at least two different delays or labelling durations, to tell CBF from ATT',
            'Use the single-delay formula, which assumes that all label has arrived.',
        )
    )


def _nothing(n_voxels: int, dtype: torch.dtype, device: torch.device | str) -> Fit:
    def missing() -> Tensor:
        return torch.full((n_voxels,), torch.nan, dtype=dtype, device=device)

    return Fit(
        parameters={'cbf': missing(), 'att': missing()},
        std={'cbf': missing(), 'att': missing()},
        status=torch.zeros(n_voxels, dtype=torch.uint8, device=device),
        residual=missing(),
        noise=missing(),
    )


def _put(fit: Fit, voxels: Tensor, chunk: Fit, kept: Tensor) -> None:
    """Write the voxels of a chunk that are kept into their place."""
    if not bool(kept.all()):
        voxels = voxels[kept.cpu()]
    else:
        kept = torch.ones_like(kept)
    for whole, part in ((fit.parameters, chunk.parameters), (fit.std, chunk.std)):
        for name, values in part.items():
            whole[name][voxels] = values[kept]
    fit.status[voxels] = chunk.status[kept]
    fit.residual[voxels] = chunk.residual[kept]
    fit.noise[voxels] = chunk.noise[kept]


def _fit_chunk(fan: Fan, table: InformationTable, model: SignalModel, data: Summary) -> Fit:
    optimum = find_optimum(fan, model, data)
    noise = noise_level(data, optimum.cost, n_parameters=2)
    point = optimum.cbf, optimum.att
    if data.weight.shape[-1] == 1:
        covariance = table.covariance(*point, noise)
    else:
        covariance = smoothed_covariance(model, *point, data.weight, noise=noise)
    failed = optimum.status == FitStatus.FAILED
    untold = failed | (optimum.cbf <= 0)
    return Fit(
        parameters={
            'cbf': optimum.cbf.masked_fill(failed, torch.nan),
            'att': optimum.att.masked_fill(untold, torch.nan),
        },
        std={
            'cbf': covariance.cbf.sqrt().masked_fill(failed, torch.nan),
            'att': covariance.att.sqrt().masked_fill(untold, torch.nan),
        },
        status=optimum.status,
        residual=(data.scatter + optimum.cost).masked_fill(failed, torch.nan),
        noise=noise.masked_fill(failed, torch.nan),
    )
