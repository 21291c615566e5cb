"""The step that tests noise and model: what the numbers of a fit are worth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.maps import FloatArray
from aslprep_nn.misspecification.sandwich import standard_deviations
from aslprep_nn.misspecification.trust import assess_run, known_classes
from aslprep_nn.pipeline.images import load_mask, load_series, put_into, save
from aslprep_nn.pipeline.steps import choose_device, where_known
from aslprep_nn.preprocessing.brightness import GREY_MATTER_SHARE, brightest, late_delta_m
from aslprep_nn.settings import TrustOptions


class Trust(NamedTuple):
    """Maps named by their quantity, standard deviations among them, and the numbers beside."""

    maps: tuple[Path, ...]
    summary: Path


def assess_trust(
    *,
    relative_delta_m: Path,
    mask: Path,
    fit: Path,
    acquisition: Acquisition,
    options: TrustOptions,
    seed: int,
    device: str,
    n_threads: int,
    folder: Path,
) -> Trust:
    """Test noise, model and assumptions in every brain voxel."""
    torch.set_num_threads(n_threads)
    series, affine = load_series(relative_delta_m)
    brain, place = load_mask(mask), choose_device(device)
    signal = series[brain]
    fitted = Fit(**torch.load(fit, map_location=place))
    found, summary = assess_run(
        torch.from_numpy(signal),
        acquisition,
        fitted,
        _regions(signal, acquisition),
        slice_delay=torch.from_numpy(slice_delay(acquisition, brain.shape)[brain].copy()),
        options=options,
        seed=seed,
        device=place,
    )
    values = {**found.statistics, 'class': known_classes(found)}
    spread = standard_deviations(found, fitted)
    values |= {f'std_{name}': value for name, value in spread.items()}
    maps = [
        save(folder / f'{name}.nii.gz', put_into(brain, where_known(name, value, fitted)), affine)
        for name, value in values.items()
    ]
    (folder / 'summary.json').write_text(summary.as_json(), encoding='utf-8')
    return Trust(tuple(maps), folder / 'summary.json')


def _regions(signal: FloatArray, acquisition: Acquisition) -> dict[str, Tensor]:
    """Choose by brightness what an anatomical image would tell better."""
    late = late_delta_m(signal, acquisition)
    return {
        'brain': torch.ones(len(late), dtype=torch.bool),
        'grey-matter-like': torch.from_numpy(brightest(late, GREY_MATTER_SHARE)),
    }
