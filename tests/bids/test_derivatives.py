"""Outputs carry BIDS names, units, sources and constants."""

import json

import numpy as np
import pytest

from aslprep_nn.acquisition import VolumeType
from aslprep_nn.bids import derivatives as bids
from aslprep_nn.bids.query import find_series, open_dataset
from aslprep_nn.bids.reader import read_run
from aslprep_nn.settings import Settings
from aslprep_nn.writing import write_atomically


def read(make_dataset, subject, tmp_path):
    root = make_dataset(subject)
    settings = Settings(root, tmp_path / 'out', tmp_path / 'work')
    layout = open_dataset(root)
    return read_run(layout, find_series(layout)[0], settings), settings


def test_a_map_lies_under_subject_and_perf_with_the_name_of_its_run(
    make_dataset, subject, tmp_path
):
    run, settings = read(make_dataset, subject(), tmp_path)
    path = bids.derivative_path(settings, run, 'std_att')
    assert path == tmp_path / 'out' / 'sub-01' / 'perf' / 'sub-01_desc-std_att.nii.gz'


def test_a_sidecar_states_unit_sources_and_every_constant(make_dataset, subject, tmp_path):
    run, settings = read(make_dataset, subject(), tmp_path)
    content = json.loads(bids.sidecar(settings, run, 'cbf', {}))
    assert content['Units'] == 'mL/100 g/min'
    assert 'bids:raw:sub-01/perf/sub-01_asl.nii.gz' in content['Sources']
    assert content['LabelingEfficiency'] == 0.85
    blood = content['ConstantSources']['T1 of blood']
    assert blood['Value'] == '1.65 s'
    assert blood['Source'].startswith('default')
    assert len(content['PostLabelingDelay']) == 6


def test_a_sidecar_states_what_cbf_can_be_recomputed_from(make_dataset, subject, tmp_path):
    one = subject()
    one.sidecar |= {
        'BackgroundSuppression': True,
        'BackgroundSuppressionNumberPulses': 2,
        'SliceEncodingDirection': 'k-',
    }
    run, settings = read(make_dataset, one, tmp_path)
    content = json.loads(bids.sidecar(settings, run, 'cbf', {}))
    assert content['M0File'] == 'bids:raw:sub-01/perf/sub-01_m0scan.nii.gz'
    assert content['M0RepetitionTime'] == [6.0]
    assert content['SliceTiming'] == [0.3, 0.2, 0.1, 0.0]
    assert content['SliceEncodingDirection'] == 'k'
    assert content['BackgroundSuppression'] is True
    assert content['BackgroundSuppressionNumberPulses'] == 2
    assert 'M0Estimate' not in content


def test_a_sidecar_states_the_estimate_of_m0_that_was_used(make_dataset, subject, tmp_path):
    one = subject()
    one.sidecar |= {'M0Type': 'Estimate', 'M0Estimate': 1234.5}
    run, settings = read(make_dataset, one, tmp_path)
    content = json.loads(bids.sidecar(settings, run, 'cbf', {}))
    assert content['M0Estimate'] == 1234.5
    assert 'M0File' not in content


def test_the_preprocessed_series_keeps_a_delay_per_volume_with_0_for_m0(
    make_dataset, subject, tmp_path
):
    one = subject()
    one.sidecar |= {'M0Type': 'Included', 'PostLabelingDelay': 1.8}
    one.context = [VolumeType.M0SCAN, *one.context]
    one.series = np.concatenate([one.m0[..., None], one.series], axis=-1)
    run, settings = read(make_dataset, one, tmp_path)
    content = json.loads(bids.sidecar(settings, run, 'still', {}))
    assert content['PostLabelingDelay'] == [0.0] + [1.8] * 12
    assert content['SkullStripped'] is False


def test_the_dataset_names_its_generator_and_its_source(make_dataset, subject, tmp_path):
    _, settings = read(make_dataset, subject(), tmp_path)
    bids.write_dataset_description(settings, 'cite')
    path = tmp_path / 'out' / 'dataset_description.json'
    content = json.loads(path.read_text(encoding='utf-8'))
    assert content['DatasetType'] == 'derivative'
    assert content['GeneratedBy'][0]['Name'] == 'aslprep_nn'
    assert content['DatasetLinks']['raw'] == settings.bids_dir.as_uri()


@pytest.mark.parametrize(
    ('delivered_in', 'mark', 'container'),
    [('', 'no such file', None), ('docker', 'no such file', 'docker'), ('docker', '', 'apptainer')],
)
def test_a_container_is_named_only_where_the_app_was_delivered_in_one(
    tmp_path, monkeypatch, delivered_in, mark, container
):
    monkeypatch.setattr(bids, 'APPTAINER_MARK', tmp_path / mark)
    monkeypatch.setenv('ASLPREP_NN_CONTAINER', delivered_in)
    settings = Settings(tmp_path, tmp_path / 'out', tmp_path / 'work')
    bids.write_dataset_description(settings, 'cite')
    path = tmp_path / 'out' / 'dataset_description.json'
    generator = json.loads(path.read_text(encoding='utf-8'))['GeneratedBy'][0]
    assert generator.get('Container', {}).get('Type') == container


def test_an_itk_transform_file_holds_one_block_per_volume():
    matrices = np.tile(np.eye(4), (2, 1, 1))
    matrices[1, :3, 3] = [1.5, -2, 3]
    lines = bids.transforms_as_itk(matrices).decode().splitlines()
    assert lines[0] == '#Insight Transform File V1.0'
    assert lines[3] == 'Parameters: 1 0 0 0 1 0 0 0 1 0 0 0'
    assert [line for line in lines if line.startswith('#Transform')] == [
        '#Transform 0',
        '#Transform 1',
    ]
    assert lines[8] == 'Parameters: 1 0 0 0 1 0 0 0 1 1.5 -2 3'


def test_a_file_that_cannot_be_finished_is_not_there(tmp_path):
    target = tmp_path / 'a' / 'file'
    write_atomically(target, b'one')
    with pytest.raises(TypeError):
        write_atomically(target, 'not bytes')
    assert target.read_bytes() == b'one'
    assert [path.name for path in target.parent.iterdir()] == ['file']
