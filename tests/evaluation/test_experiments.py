"""Experiments give what theory says of simple estimators."""

import pytest
import torch

from aslprep_nn.evaluation.conditions import Condition
from aslprep_nn.evaluation.estimators import Family, Key
from aslprep_nn.evaluation.experiments import run_condition, run_lesions, template_correlation
from aslprep_nn.evaluation.phantoms import uniform, voxelwise, with_lesions
from aslprep_nn.evaluation.scores import Parameter, Region
from aslprep_nn.simulation.kinds import LesionKind

CBF, ATT = Parameter


def test_a_focus_is_recovered_whole_without_noise_and_washed_out_by_smoothing(brains):
    diseased = with_lesions(brains, (LesionKind.DARK_FOCUS,), 20, 0)
    found = run_lesions(brains, diseased, Condition(500.0), None, 0)
    assert found.recovery(Family.LEAST_SQUARES, CBF).value == pytest.approx(1, abs=0.01)
    smoothed = found.recoveries[Key(Family.SMOOTHED, (2.0,))].ratio(CBF)
    assert smoothed.low <= smoothed.value <= smoothed.high < 0.3
    n_voxels = int((diseased.maps.lesion[:, 1] > 0).sum())
    assert found.results.score(Family.LEAST_SQUARES, CBF, Region.LESION).n == n_voxels


def test_smoothing_helps_a_brain_and_harms_what_has_no_structure(brains):
    smooth = Key(Family.SMOOTHED, (1.0,))

    def gain(phantoms):
        sums = run_condition(phantoms, Condition(5.0), None, 0).sums
        plain, smoothed = (sums[k] for k in (Key(Family.LEAST_SQUARES), smooth))
        return smoothed.ratio(plain, CBF, Region.BRAIN).value

    assert gain(brains) < 0.9
    assert gain(voxelwise(brains, 0)) > 1


def test_least_squares_invents_no_anatomy(brains):
    found = template_correlation(uniform(brains), Condition(5.0), None, 0)
    plain = found[Key(Family.LEAST_SQUARES)]
    assert plain.abs().max() < 0.15
    there = template_correlation(brains, Condition(20.0), None, 0)
    assert there[Key(Family.LEAST_SQUARES)][CBF] > 0.5


def test_the_same_seed_gives_the_same_numbers(brains):
    one, two, other = (
        run_condition(brains.at(slice(1)), Condition(5.0), None, seed).sums for seed in (1, 1, 2)
    )
    key = Key(Family.LEAST_SQUARES)
    assert torch.equal(one[key].values, two[key].values)
    assert not torch.equal(one[key].values, other[key].values)
