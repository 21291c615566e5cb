"""The benchmark of the template's overlap makes wrong masks as it says, and tells the worst."""

import numpy as np
import pytest
from scipy import ndimage

from aslprep_nn.benchmark import template
from aslprep_nn.benchmark.template import ENLARGED, MOVED, REDUCED, Found, template_table
from aslprep_nn.quality.template import SeenTemplate

AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
X, Y, Z = np.indices((40, 44, 32), dtype=float)
BRAIN = ((X - 20) / 10) ** 2 + ((Y - 22) / 12) ** 2 + ((Z - 16) / 7) ** 2 < 1


def test_masks_are_moved_as_far_as_is_said_and_keep_their_size():
    before = np.array(ndimage.center_of_mass(BRAIN))
    moved = list(template._moved(BRAIN, AFFINE))
    assert len(moved) == 6
    for mask in moved:
        by = np.diag(AFFINE)[:3] * (np.array(ndimage.center_of_mass(mask)) - before)
        assert np.linalg.norm(by) == pytest.approx(MOVED, abs=0.5)
        assert mask.sum() == pytest.approx(BRAIN.sum(), rel=0.05)


def test_a_slab_is_not_moved_across_its_slices():
    assert len(list(template._moved(BRAIN[..., 10:20], AFFINE))) == 4


@pytest.mark.parametrize('factor', [ENLARGED, REDUCED])
def test_masks_grow_and_shrink_to_the_volume_that_is_said(factor):
    resized = template._resized(BRAIN, AFFINE, factor)
    assert resized.sum() == pytest.approx(factor * BRAIN.sum(), rel=0.05)
    assert (resized & BRAIN).sum() == min(resized.sum(), BRAIN.sum())


def test_the_table_gives_the_hardest_of_the_heads_and_counts_those_that_were_found(monkeypatch):
    heads = [
        Found(SeenTemplate(BRAIN, '', 0.8, 1.5), 0.96, 0.94, 0.7, 0.6, 0.65, 7.0),
        Found(SeenTemplate(BRAIN, '', 0.7, 1.7), 0.95, 0.93, 0.8, 0.5, 0.66, 9.0),
        Found(SeenTemplate(BRAIN, 'nowhere', 0.3), 0.0, 0.0, 0.0, 0.0, 0.0, 8.0),
    ]
    monkeypatch.setattr(template, '_look', lambda readout, image, seed: heads[seed])
    row = template_table(range(3)).rows[0]
    assert row['registered'] == 2
    assert (row['true brain'], row['mask of the app']) == (0.95, 0.93)
    assert (row['moved 20 mm'], row['twice as large'], row['half as large']) == (0.8, 0.6, 0.66)
    assert row['correlation'] == 0.3
    assert row['CPU seconds'] == 9
