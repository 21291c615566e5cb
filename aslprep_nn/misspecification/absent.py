"""Timings that were asked for and that no voxel has, as where motion spoilt a delay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, split_with_sizes

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.repetitions import A_FEW, Repetitions


def measured_part(
    data: Tensor, acquisitions: Sequence[Acquisition]
) -> tuple[Tensor, tuple[Acquisition, ...], tuple[str, ...]]:
    """Leave out the timings that are missing in every voxel, and say so.

    A repetition that lacks one of its timings is incomplete, so that a timing which is missing
    everywhere would leave no repetition to any test.

    Parameters
    ----------
    data
        ``(voxel, measurement)``, NaN where missing.
    acquisitions
        Whose measurements follow one another.

    Returns
    -------
    The data and acquisitions without such timings, and a sentence on each acquisition that
    lacks some.
    """
    repetitions = Repetitions.of(acquisitions)
    measured = _measured(data, repetitions)[repetitions.timing]
    if bool(measured.all()):
        return data, tuple(acquisitions), ()
    kept, parts, sentences = [], [], []
    sizes = [acquisition.n_measurements for acquisition in acquisitions]
    for acquisition, here in zip(acquisitions, split_with_sizes(measured, sizes), strict=True):
        # an acquisition without any measurement stays, since kinetics are named one by one
        kept.append(here | ~here.any())
        parts.append(_only(acquisition, kept[-1]))
        if not bool(kept[-1].all()):
            sentences.append(_sentence(_only(acquisition, ~here)))
    return data[:, torch.cat(kept).to(data.device)], tuple(parts), tuple(sentences)


def _measured(data: Tensor, repetitions: Repetitions) -> Tensor:
    """Find the timings that any voxel has, ``(timing,)``."""
    measured = torch.zeros(repetitions.n_timings, dtype=torch.bool)
    for looked_at in (data[:A_FEW], data):  # a few voxels have everything, as a rule
        present = torch.isfinite(looked_at).any(0).cpu()
        measured[repetitions.timing[present]] = True
        if bool(measured.all()):
            break
    return measured


def _only(acquisition: Acquisition, kept: Tensor) -> Acquisition:
    pld, duration = (
        tuple(value for value, keep in zip(values, kept.tolist(), strict=True) if keep)
        for values in (acquisition.pld, acquisition.labeling_duration)
    )
    return replace(acquisition, pld=pld, labeling_duration=duration)


def _sentence(absent: Acquisition) -> str:
    timings = dict.fromkeys(zip(absent.pld, absent.labeling_duration, strict=True))
    listed = ', '.join(f'{pld:g} s (labelling {duration:g} s)' for pld, duration in timings)
    return f'No voxel has a measurement at the delay of {listed}: the tests are of the others.'
