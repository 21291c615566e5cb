"""The step that tests noise and model: what the numbers of a fit are worth."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.misspecification.fixed_parameter import brightest
from aslprep_nn.misspecification.sandwich import standard_deviations
from aslprep_nn.misspecification.trust import assess_run, known_classes
from aslprep_nn.pipeline.fit_maps import where_known
from aslprep_nn.pipeline.gpu import choose_device
from aslprep_nn.pipeline.images import load_mask, load_series, put_into, save
from aslprep_nn.preprocessing.brightness import GREY_MATTER_SHARE
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
    delay = torch.from_numpy(slice_delay(acquisition, brain.shape)[brain].copy())
    fitted = Fit(**torch.load(fit, map_location=place))
    found, summary = assess_run(
        torch.from_numpy(series[brain]),
        acquisition,
        fitted,
        _regions(acquisition, fitted, delay),
        slice_delay=delay,
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


def _regions(acquisition: Acquisition, fit: Fit, delay: Tensor) -> dict[str, Tensor]:
    """Choose by the brightness of the fit what an anatomical image would tell better.

    Not by that of the measurements, as the report's grey-matter-like voxels: voxels chosen for
    bright noise share a deviation from their fit, and the tests of a region would take it for a
    wrong model.
    """
    grey = brightest(acquisition, fit, slice_delay=delay, share=GREY_MATTER_SHARE)
    return {'brain': torch.ones_like(grey), 'strongest fitted third': grey}
