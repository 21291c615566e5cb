"""The step that looks at the T1w: whether the brain mask lies where a brain does."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from aslprep_nn.pipeline.images import load, load_mask, load_series
from aslprep_nn.quality.template import TemplateOverlap, Volume, template_overlap


class ComparedMask(NamedTuple):
    """How the brain mask overlaps with that of the template, as `TemplateOverlap`."""

    overlap: Path


def compare_mask(
    *, mask: Path, fov_mask: Path, reference: Path, t1w: Path, seed: int, folder: Path
) -> ComparedMask:
    """Compare the brain mask with the brain of the template, by way of the T1w.

    Estimates do not depend on it: where a library gives up, the run goes on, and says so.
    """
    head = load_series(t1w)
    try:
        found = template_overlap(
            load_mask(mask),
            Volume(*load(reference)),
            Volume(head.data[..., 0], head.affine),
            fov_mask=load_mask(fov_mask),
            seed=seed,
        )
    except (RuntimeError, ValueError, MemoryError) as error:
        found = TemplateOverlap(obstacle=f'its registration failed ({error})')
    (folder / 'template_overlap.json').write_text(found.as_json(), encoding='utf-8')
    return ComparedMask(folder / 'template_overlap.json')
