"""Metadata as vendors' scanners write them lead to the plan they should, and to maps."""

import nibabel as nib
import numpy as np
import pytest
from protocols.examples import EXAMPLES, NAMES, PLANS, plan_of, read_example, write_example

from aslprep_nn.pipeline.workflow import init_asl_wf
from aslprep_nn.run import ASLRun

pytestmark = pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f'{EXAMPLES} is not there')


@pytest.mark.parametrize('name', NAMES)
def test_real_metadata_lead_to_the_plan_that_was_checked(name, tmp_path):
    reading, _ = read_example(write_example(name, tmp_path / 'bids'), tmp_path)
    assert plan_of(reading) == (PLANS / f'{name}.tsv').read_text(encoding='utf-8')


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
def test_real_metadata_lead_to_maps(name, tmp_path):
    run, settings = read_example(write_example(name, tmp_path / 'bids'), tmp_path / 'out')
    assert isinstance(run, ASLRun)
    workflow = init_asl_wf(run, settings)
    workflow.remove_nodes([workflow.get_node('report_run')])
    workflow.base_dir = str(settings.work_dir)
    workflow.run(plugin='Linear')
    (path,) = settings.output_dir.rglob('perf/*[0-9]_cbf.nii.gz')
    cbf = np.asarray(nib.load(path).dataobj)
    assert np.isfinite(cbf).any()
    assert np.nanmin(cbf) > 0
