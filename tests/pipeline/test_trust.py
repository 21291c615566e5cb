"""The step that tests noise and model, and what becomes of its results."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.bids.kinds import CLASS_LEVELS, KINDS, TRUST_MAPS
from aslprep_nn.cli.progress import WORDS
from aslprep_nn.maps import FitStatus
from aslprep_nn.misspecification.assessment import NAMES
from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.misspecification.summary import TrustSummary
from aslprep_nn.pipeline import steps
from aslprep_nn.pipeline.facts import facts_of_map
from aslprep_nn.pipeline.trust import assess_trust
from aslprep_nn.pipeline.workflow import init_asl_wf
from aslprep_nn.run import ASLRun, M0Plan, M0Route
from aslprep_nn.settings import Misspecification, Settings, TrustOptions
from aslprep_nn.signal.kinetics import pcasl_delta_m
from aslprep_nn.signal.protocol import Protocol

AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
GRID = (8, 8, 5)
PLDS = (0.25, 0.75, 1.25, 1.75, 2.25)
ACQUISITION = Acquisition(LabelingType.PCASL, PLDS * 6, (1.8,) * 30, 0.85)


def save(path: Path, data: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(np.asarray(data, dtype=np.float32), AFFINE), path)
    return path


def load(paths: tuple[Path, ...], name: str) -> np.ndarray:
    return nib.load(next(p for p in paths if p.name == f'{name}.nii.gz')).get_fdata()


def mask() -> np.ndarray:
    inside = np.ones(GRID)
    inside[0] = 0
    return inside


@pytest.fixture(scope='module')
def tested(tmp_path_factory):
    """Test voxels of which half have a repetition of another head position."""
    folder = tmp_path_factory.mktemp('trust')
    random = np.random.default_rng(1)
    cbf, att = (np.full(GRID, value) for value in (60.0, 1.0))
    truth = pcasl_delta_m(torch.tensor(cbf), torch.tensor(att), Protocol.of(ACQUISITION)).numpy()
    noisy = truth + 2e-4 * random.standard_normal(truth.shape)
    noisy[4:, ..., :5] *= 0.5
    noisy[-1, -1, -1] = np.nan
    relative, brain = save(folder / 'r.nii.gz', noisy), save(folder / 'm.nii.gz', mask())
    common = {'relative_delta_m': relative, 'mask': brain, 'acquisition': ACQUISITION}
    common |= {'device': 'cpu', 'n_threads': 1}
    fitted = steps.fit_voxels(**common, folder=folder)
    own = tmp_path_factory.mktemp('own')
    options = TrustOptions(n_draws=5)
    return fitted, assess_trust(**common, fit=fitted.fit, options=options, seed=1, folder=own)


def test_every_statistic_has_a_map_with_a_name_and_a_meaning(tested):
    made = {path.name.removesuffix('.nii.gz') for path in tested[1].maps}
    assert made - {'std_cbf', 'std_att'} == set(TRUST_MAPS) == {*NAMES, 'class'}
    assert made <= set(KINDS)


def test_the_levels_of_the_class_map_are_those_of_the_classes():
    assert set(CLASS_LEVELS) == {int(code) for code in VoxelClass}


def test_a_changed_repetition_is_classed_as_noise(tested):
    classes = load(tested[1].maps, 'class')
    assert (classes[4:-1] == VoxelClass.NOISE).mean() > 0.5
    assert (classes[1:4] == VoxelClass.NOISE).mean() < 0.1


def test_voxels_that_could_not_be_tested_have_no_class(tested):
    classes = load(tested[1].maps, 'class')
    assert np.isnan(classes[0]).all()
    assert np.isnan(classes[-1, -1, -1])


def test_the_summary_names_the_rate_it_was_made_at(tested):
    summary = TrustSummary.from_json(tested[1].summary.read_text(encoding='utf-8'))
    assert summary.false_discovery_rate == TrustOptions().false_discovery_rate


def test_each_slice_is_tested_with_its_own_delays(tmp_path):
    """Noise-free slices read out late contradict the model of those that were not."""
    sliced = replace(ACQUISITION, slice_times=tuple(0.2 * i for i in range(GRID[2])))
    delay = torch.tensor(sliced.slice_times, dtype=torch.float64).expand(GRID)
    cbf, att = (torch.full(GRID, value, dtype=torch.float64) for value in (60.0, 1.4))
    truth = pcasl_delta_m(cbf, att, Protocol.of(sliced, slice_delay=delay)).numpy()
    noise = 1e-4 * np.random.default_rng(2).standard_normal(truth.shape)
    relative = save(tmp_path / 'r.nii.gz', truth + noise)
    common = {'relative_delta_m': relative, 'mask': save(tmp_path / 'm.nii.gz', mask())}
    common |= {'acquisition': sliced, 'device': 'cpu', 'n_threads': 1}
    fitted = steps.fit_voxels(**common, folder=tmp_path)
    own = tmp_path / 'own'
    own.mkdir()
    found = assess_trust(**common, fit=fitted.fit, options=TrustOptions(), seed=1, folder=own)
    for name in ('pmodel', 'pnoise'):
        p = load(found.maps, name)[1:]
        assert np.nanmean(p < 0.05) < 0.12
    summary = TrustSummary.from_json(found.summary.read_text(encoding='utf-8'))
    assert summary.regions[0].p['pmodel'] > 0.001


def run_of(acquisition: Acquisition) -> ASLRun:
    return ASLRun(
        name='sub-01',
        subject='01',
        session='',
        series=Path(__file__),
        volume_types=(),
        timings=(),
        acquisition=acquisition,
        m0=M0Plan(M0Route.NONE),
    )


def step_names(acquisition: Acquisition, choice: Misspecification) -> set[str]:
    settings = Settings(Path(), Path(), Path(), trust=TrustOptions(misspecification=choice))
    nodes = init_asl_wf(run_of(acquisition), settings).list_node_names()
    return set(nodes)


def test_tests_are_made_where_the_protocol_allows_and_the_user_wants():
    single = replace(ACQUISITION, pld=(1.8,) * 30)
    assert 'assess_trust' in step_names(ACQUISITION, Misspecification.AUTO)
    assert 'assess_trust' not in step_names(ACQUISITION, Misspecification.OFF)
    assert 'assess_trust' not in step_names(single, Misspecification.AUTO)


def test_every_step_has_words_for_its_progress():
    assert step_names(ACQUISITION, Misspecification.AUTO) <= set(WORDS)


def test_att_that_is_not_identifiable_has_no_standard_deviation_either(tested):
    status = load(tested[0].maps, 'fitstatus')
    for maps in (tested[0].maps, tested[1].maps):
        assert np.isnan(load(maps, 'std_att')[status == FitStatus.ATT_NOT_IDENTIFIABLE]).all()
        assert np.isfinite(load(maps, 'std_att')[status == FitStatus.CONVERGED]).all()


def test_standard_deviations_grow_where_the_repetitions_scatter(tested):
    before, after = (load(maps, 'std_cbf')[4:-1] for maps in (tested[0].maps, tested[1].maps))
    assert np.nanmedian(after / before) > 1.1


@pytest.mark.parametrize(
    ('pld', 'words'),
    [
        ((0.5, 1.0, 1.5, 2.0) * 4, 'the larger of'),
        ((0.8, 2.0) * 4, 'the larger of'),
        ((0.5, 1.0, 1.5, 2.0) * 3, 'measured between repetitions'),
        ((0.5, 1.0, 1.5, 2.0), 'residuals of the fit'),
        ((1.8,) * 8, 'standard error of the mean'),
    ],
)
def test_the_sidecar_says_where_a_standard_deviation_comes_from(pld, words):
    acquisition = replace(ACQUISITION, pld=pld, labeling_duration=(1.8,) * len(pld))
    facts = facts_of_map(run_of(acquisition), Settings(Path(), Path(), Path()), 'std_cbf')
    assert words in facts['Method']


def test_a_protocol_that_allows_no_test_is_still_told_why():
    once = replace(ACQUISITION, pld=(0.5, 1.0, 1.5), labeling_duration=(1.8,) * 3)
    assert 'assess_trust' in step_names(once, Misspecification.AUTO)
