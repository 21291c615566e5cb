"""Every protocol of the table gives what is true, or is refused for the right reason."""

from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from protocols.table import PROTOCOLS, Protocol
from protocols.writing import truth, write_protocols

from aslprep_nn.bids.query import open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.maps import FitStatus
from aslprep_nn.pipeline.workflow import init_asl_wf
from aslprep_nn.run import ASLRun, RefusedRun
from aslprep_nn.settings import (
    Estimator,
    Misspecification,
    PhysicsOptions,
    Settings,
    TrustOptions,
)

PROCESSED = [protocol for protocol in PROTOCOLS if protocol.gives]
REFUSED = [protocol for protocol in PROTOCOLS if not protocol.gives]
CBF_TOLERANCE, ATT_TOLERANCE = 0.02, 0.02
by_name = partial(pytest.mark.parametrize, ids=lambda protocol: protocol.name)


@pytest.fixture(scope='module')
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_protocols(tmp_path_factory.mktemp('protocols') / 'bids', PROTOCOLS)


def settings_for(protocol: Protocol, dataset: Path, output: Path) -> Settings:
    return Settings(
        dataset,
        output,
        output / 'work',
        physics=PhysicsOptions(**protocol.options),
        trust=TrustOptions(misspecification=Misspecification.OFF),
        estimators=(Estimator.LEAST_SQUARES,),
        device='cpu',
    )


def read(protocol: Protocol, settings: Settings) -> ASLRun | RefusedRun:
    layout = open_dataset(settings.bids_dir, participants=(protocol.name,))
    name = f'sub-{protocol.name}'
    return read_run(layout, settings.bids_dir / name / 'perf' / f'{name}_asl.nii.gz', settings)


def load(output: Path, protocol: Protocol, suffix: str) -> np.ndarray:
    name = f'sub-{protocol.name}'
    path = output / name / 'perf' / f'{name}_{suffix}.nii.gz'
    return np.asarray(nib.load(path).dataobj, dtype=float)


def process(run: ASLRun, settings: Settings) -> None:
    """Take a run from its files to its maps; the report is tested elsewhere."""
    workflow = init_asl_wf(run, settings)
    workflow.remove_nodes([workflow.get_node('report_run')])
    workflow.base_dir = str(settings.work_dir)
    workflow.run(plugin='Linear')


@by_name('protocol', PROCESSED)
def test_a_protocol_gives_what_is_true(protocol, dataset, tmp_path):
    settings = settings_for(protocol, dataset, tmp_path)
    run = read(protocol, settings)
    assert isinstance(run, ASLRun), run.problems
    told = '\n'.join([*run.notes, *(f'{row.name}: {row.value}' for row in run.plan)])
    assert protocol.says in told
    process(run, settings)
    true = truth(protocol)
    counted = (load(tmp_path, protocol, 'desc-brain_mask') > 0) & true.head
    assert counted.sum() > 0.5 * true.head.sum()
    ratio = load(tmp_path, protocol, 'cbf')[counted] / true.cbf[counted]
    if 'relative' in protocol.gives:
        ratio /= np.median(ratio)
    assert np.abs(ratio - 1).max() < CBF_TOLERANCE
    if 'ATT' not in protocol.gives:
        assert not run.estimates_att
        return
    status = load(tmp_path, protocol, 'desc-fitstatus_dseg')[counted]
    assert np.isin(status, (FitStatus.CONVERGED, FitStatus.ON_KINK)).all()
    att = load(tmp_path, protocol, 'att')[counted]
    assert np.abs(att - true.att[counted]).max() < ATT_TOLERANCE


@by_name('protocol', REFUSED)
def test_a_protocol_no_model_describes_is_refused_by_name(protocol, dataset, tmp_path):
    refused = read(protocol, settings_for(protocol, dataset, tmp_path))
    assert isinstance(refused, RefusedRun)
    (problem,) = refused.problems
    assert problem.field == protocol.names
    assert protocol.reason in str(problem)
