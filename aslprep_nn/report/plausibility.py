"""The gates of plausibility, asked of a finished run."""

from __future__ import annotations

from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.quality.findings import Finding
from aslprep_nn.quality.gates import find_implausible
from aslprep_nn.quality.measured_run import MeasuredRun
from aslprep_nn.report.results import RunResults


def implausible(results: RunResults) -> tuple[Finding, ...]:
    """Find what makes a run implausible; nothing where it can be right."""
    confounds = results.confounds
    return find_implausible(
        MeasuredRun(
            acquisition=results.acquisition,
            affine=results.affine,
            mask=results.mask,
            relative_delta_m=results.relative_delta_m,
            cbf=results.maps['cbf'].values,
            status=results.status,
            slice_delay=slice_delay(results.acquisition, results.mask.shape),
            has_m0=results.has_m0,
            has_label_and_control=confounds is not None,
            framewise_displacement=None
            if confounds is None
            else confounds['framewise_displacement'].to_numpy(float),
            control_over_m0=results.control_over_m0,
            white_over_fluid=results.white_over_fluid,
            is_suppressed=results.is_suppressed,
            organ=results.organ,
        )
    )
