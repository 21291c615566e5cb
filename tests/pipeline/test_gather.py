"""Where the estimates meet: who is primary, under which names, and how they differ."""

import json
from dataclasses import asdict

import nibabel as nib
import numpy as np
import pytest

from aslprep_nn.bids.kinds import KINDS
from aslprep_nn.errors import Problem
from aslprep_nn.pipeline.gather import QUANTITIES, gather_estimates
from aslprep_nn.run import Estimation
from aslprep_nn.settings import Estimator

LSQ, HYB, NN = Estimator.LEAST_SQUARES, Estimator.HYBRID, Estimator.NETWORK
VALUE = {LSQ: 1.0, HYB: 2.0, NN: 3.5}


def maps_in(folder, estimator, *more):
    folder = folder / f'of_{estimator}'
    folder.mkdir(exist_ok=True)
    paths = [folder / f'{name}.nii.gz' for name in (*QUANTITIES, *more)]
    for path in paths:
        image = np.full((2, 2, 2), VALUE[estimator], np.float32)
        nib.save(nib.Nifti1Image(image, np.eye(4)), path)
    return tuple(paths)


def gather(folder, estimators, *, problems=(), **more):
    refused = folder / 'problems.json'
    refused.write_text(json.dumps([asdict(problem) for problem in problems]))
    inputs = {'least_squares': maps_in(folder, LSQ, 'arterial_blood_volume')}
    if HYB in estimators:
        inputs['hybrid'] = maps_in(folder, HYB)
    if NN in estimators:
        inputs |= {
            'network': () if problems else maps_in(folder, NN),
            'network_problems': refused,
        }
    estimation = Estimation(estimators, estimators[0])
    made = folder / 'made'
    made.mkdir(exist_ok=True)
    done = gather_estimates(estimation=estimation, folder=made, **inputs, **more)
    values = {
        path.name.removesuffix('.nii.gz'): nib.load(path).get_fdata()[0, 0, 0] for path in done.maps
    }
    return values, done.estimation


@pytest.mark.parametrize('primary', [LSQ, NN])
def test_the_maps_of_the_primary_estimator_have_the_plain_names(tmp_path, primary):
    other = NN if primary is LSQ else LSQ
    values, _ = gather(tmp_path, (primary, other))
    for quantity in QUANTITIES:
        assert values[quantity] == VALUE[primary]
        assert values[f'{other}_{quantity}'] == VALUE[other]
        assert f'{primary}_{quantity}' not in values


@pytest.mark.parametrize('estimators', [(LSQ, NN), (NN, LSQ), (HYB, NN, LSQ)])
def test_the_difference_is_network_less_least_squares_whoever_is_primary(tmp_path, estimators):
    values, _ = gather(tmp_path, estimators)
    assert values['difference_cbf'] == VALUE[NN] - VALUE[LSQ]


def test_without_both_of_them_there_is_no_difference(tmp_path):
    assert 'difference_cbf' not in gather(tmp_path, (LSQ, HYB))[0]
    assert 'difference_cbf' not in gather(tmp_path, (NN,))[0]


def test_a_network_that_found_problems_leaves_least_squares_primary_and_says_so(tmp_path):
    problem = Problem('r.nii.gz', 'Signal-to-noise ratio', '0.5', '1 to 50', 'Measure longer.')
    values, estimation = gather(tmp_path, (NN, HYB), problems=[problem])
    assert estimation.estimators == (LSQ, HYB)
    assert values['cbf'] == VALUE[LSQ]
    assert estimation.notes == (
        'The primary estimate is that of lsq, not of nn as asked.',
        'nn is not offered: Signal-to-noise ratio is 0.5, expected 1 to 50. Measure longer.',
    )


def test_standard_deviations_of_the_tests_replace_those_of_least_squares_only(tmp_path):
    (tmp_path / 'tested').mkdir()
    tested = maps_in(tmp_path / 'tested', HYB, 'kappa')
    chosen = tuple(p for p in tested if p.name.startswith(('std_', 'kappa')))
    values, _ = gather(tmp_path, (NN, LSQ), trust_maps=chosen)
    assert values['lsq_std_cbf'] == VALUE[HYB]
    assert values['std_cbf'] == VALUE[NN]
    assert values['kappa'] == VALUE[HYB]


def test_every_map_has_a_kind(tmp_path):
    values, _ = gather(tmp_path, (HYB, NN, LSQ))
    assert set(values) <= set(KINDS)
    assert 'arterial_blood_volume' in values
