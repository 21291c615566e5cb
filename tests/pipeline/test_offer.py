"""Who can estimate a run is decided from metadata and weights, and said."""

from dataclasses import replace
from pathlib import Path

import pytest
from datasets import Subject
from tiny_weights import write_weights

from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.pipeline import execution, offer
from aslprep_nn.pipeline.offer import offer_estimators
from aslprep_nn.pipeline.workflow import init_asl_wf
from aslprep_nn.settings import Estimator, NetworkOptions, Settings
from aslprep_nn.simulation.dice import Interval

LSQ, HYB, NN = Estimator.LEAST_SQUARES, Estimator.HYBRID, Estimator.NETWORK


@pytest.fixture
def settings(make_dataset, tmp_path) -> Settings:
    network = NetworkOptions(1.0, write_weights(tmp_path / 'weights'))
    root = make_dataset(Subject())
    return Settings(root, tmp_path / 'out', tmp_path / 'work', network=network)


def read(settings):
    layout = open_dataset(settings.bids_dir)
    return read_run(layout, find_series(layout)[0], settings)


def offered(settings, estimators=(LSQ, NN), **changes):
    run = read(settings)
    run = replace(run, acquisition=replace(run.acquisition, **changes))
    (run,) = offer_estimators([run], replace(settings, estimators=estimators))
    return run


def plan(run):
    return {row.name: row for row in run.plan if row.name.startswith('Estimator')}


def test_everyone_serves_a_run_like_those_of_the_training(settings):
    run = offered(settings, (NN, LSQ, HYB))
    assert run.estimation.estimators == (NN, LSQ, HYB)
    assert run.estimation.notes == ()
    assert list(plan(run)) == ['Estimator', 'Estimator lsq', 'Estimator hyb']
    assert 'weights tiny, dial 1' in plan(run)['Estimator'].value
    assert run.estimation.weights.sha256[:12] in plan(run)['Estimator'].source
    steps = set(init_asl_wf(run, settings).list_node_names())
    assert {'estimate_network', 'estimate_hybrid', 'fit_voxels'} <= steps


def test_a_step_is_made_only_for_an_estimator_that_serves(settings):
    steps = set(init_asl_wf(offered(settings, (LSQ,)), settings).list_node_names())
    assert 'fit_voxels' in steps
    assert not {'estimate_network', 'estimate_hybrid'} & steps


def test_one_delay_leaves_the_formula_alone(settings):
    one = {'pld': (1.8,) * 6, 'labeling_duration': (1.5,) * 6}
    run = offered(settings, (HYB, NN), **one)
    assert run.estimation.estimators == (LSQ,)
    first, *others = run.estimation.notes
    assert first == 'The primary estimate is that of lsq, not of hyb as asked.'
    assert all('PostLabelingDelay is one delay' in note for note in others)
    assert len(others) == 2
    assert plan(run)['Estimator'].value == 'single-delay formula for CBF'
    assert plan(run)['Estimator nn'].value == 'not offered'


def test_what_lies_outside_the_training_is_named_and_the_others_go_on(settings):
    run = offered(settings, (LSQ, HYB, NN), t1_blood=0.9)
    assert run.estimation.estimators == (LSQ, HYB)
    (note,) = run.estimation.notes
    assert note.startswith('nn is not offered: T1 of blood is 0.9 s, expected 1.1 to 2.3 s')


def test_the_size_of_voxels_is_that_of_the_image_across_slices_last(settings, tmp_path):
    """The images of the dataset have 6 x 6 x 8 mm."""
    known = {'in_plane': Interval(6.0, 6.0), 'thickness': Interval(8.0, 8.0)}
    weights = write_weights(tmp_path / 'exact', **known)
    exact = replace(settings, network=NetworkOptions(1.0, weights))
    assert offered(exact).estimation.not_offered == ()
    turned = offered(exact, slice_axis=0)
    assert 'Voxel across slices is 6 mm' in turned.estimation.notes[0]


def test_an_installation_without_weights_says_so_in_one_sentence(settings, monkeypatch):
    monkeypatch.setattr(offer, 'default_weights', lambda: Path('/nowhere/default.safetensors'))
    run = offered(replace(settings, network=NetworkOptions()))
    assert run.estimation.estimators == (LSQ,)
    assert run.estimation.notes == (
        'nn is not offered: default.safetensors is absent: no weights in this installation, '
        'expected trained weights. Give a file of weights with --weights.',
    )


def test_weights_that_are_not_those_of_their_card_are_refused_by_name(settings):
    path = settings.network.weights
    path.write_bytes(path.read_bytes()[:-1] + b'?')
    run = offered(settings)
    assert run.estimation.estimators == (LSQ,)
    assert run.estimation.notes[0].startswith('nn is not offered: sha256 is ')


def test_other_weights_or_another_dial_make_it_another_run_and_another_place_does_not(
    settings, tmp_path
):
    run = read(settings)

    def fingerprint(options):
        given = replace(settings, network=options)
        return execution.fingerprint(*offer_estimators([run], given), given)

    same = NetworkOptions(1.0, write_weights(tmp_path / 'elsewhere'))
    thin = NetworkOptions(1.0, write_weights(tmp_path / 'thin', thickness=Interval(1.0, 2.0)))
    known = fingerprint(settings.network)
    assert fingerprint(same) == known
    assert fingerprint(replace(same, dial=8.0)) != known
    assert fingerprint(thin) != known
