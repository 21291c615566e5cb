"""The slices that are mapped."""

import numpy as np
import pytest
import torch

from aslprep_nn.misspecification.reproduction.phantoms import brain_slice, kidney_slice


def test_cortex_surrounds_a_medulla_with_less_flow_and_later_arrival():
    kidney = kidney_slice(0)
    cbf, att = kidney.image(kidney.truth.cbf), kidney.image(kidney.truth.att)
    middle_row = 14
    inner, outer = cbf[middle_row, 9], cbf[middle_row, 3]
    assert outer > 2 * inner
    assert att[middle_row, 9] > att[middle_row, 3]
    assert 0.3 < kidney.inside.mean() < 0.6


def test_values_return_to_their_places():
    kidney = kidney_slice(0)
    order = torch.arange(int(kidney.inside.sum()))
    picture = kidney.image(order)
    assert np.array_equal(picture[kidney.inside], order.numpy())
    assert np.isnan(picture[~kidney.inside]).all()


@pytest.mark.slow
def test_the_brain_s_slice_has_grey_and_white_matter():
    brain = brain_slice(0)
    assert float(brain.truth.cbf.quantile(0.1)) < 25
    assert float(brain.truth.cbf.quantile(0.9)) > 45
    assert 1000 < int(brain.inside.sum()) < 1500
