"""Series that hold CBF already: what is known of maps that were made elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.bids.query import entities_of
from aslprep_nn.bids.sidecar import Sidecar
from aslprep_nn.run import GivenRun, PlanRow

#: What else may stand in a series that measures nothing.
BESIDE_CBF = {VolumeType.CBF, VolumeType.M0SCAN, VolumeType.NORF, VolumeType.NOT_AVAILABLE}
NOTES = (
    'CBF was made elsewhere and is passed on as it is: nothing was estimated, calibrated or '
    'tested here, and its physics is not known to this app.',
)


def holds_only_cbf(volume_types: Sequence[VolumeType]) -> bool:
    """Tell whether a series has maps of CBF and nothing they could be made from."""
    return VolumeType.CBF in volume_types and set(volume_types) <= BESIDE_CBF


def read_given(
    sidecar: Sidecar,
    series: Path,
    volume_types: Sequence[VolumeType],
    *,
    name: str,
    subject: str,
    sources: tuple[Path, ...],
) -> GivenRun:
    """Describe a run whose CBF is passed on.

    Parameters
    ----------
    sidecar
        Of the series; ``Units`` is the one field that matters.
    series
        The image.
    volume_types
        What its volumes show.
    name, subject
        Of the run.
    sources
        Every file that was read.
    """
    volumes = tuple(i for i, kind in enumerate(volume_types) if kind is VolumeType.CBF)
    unit = sidecar.values.get('Units')
    stated = unit if isinstance(unit, str) else ''
    unknown = () if stated else ('Units is not stated, so that of CBF is not known.',)
    mean = (f'It is the mean of {len(volumes)} volumes.',) if len(volumes) > 1 else ()
    return GivenRun(
        name=name,
        subject=subject,
        session=entities_of(series).get('session', ''),
        series=series,
        volumes=volumes,
        unit=stated,
        plan=(
            PlanRow('Volumes', f'{len(volumes)} cbf', 'aslcontext.tsv'),
            PlanRow('CBF', 'passed on as it is given', 'aslcontext.tsv'),
            PlanRow('Unit', stated or 'not stated', 'Units'),
            PlanRow('Estimator', 'none', 'aslcontext.tsv'),
        ),
        notes=(*NOTES, *unknown, *mean),
        sources=sources,
    )
