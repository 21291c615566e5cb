"""The command line says what it takes."""

import pytest

from aslprep_nn.cli.parser import build_settings, parse
from aslprep_nn.errors import UsageError
from aslprep_nn.settings import (
    Estimator,
    Misspecification,
    NetworkOptions,
    Plugin,
    PluginOptions,
    TrustOptions,
)


def settings(tmp_path, *more):
    bids = tmp_path / 'bids'
    bids.mkdir(exist_ok=True)
    arguments = [str(bids), str(tmp_path / 'out'), 'participant', *more]
    return build_settings(parse(arguments), arguments)


def test_labels_may_carry_their_prefix(tmp_path):
    given = settings(tmp_path, '--participant-label', 'sub-01', '02', '--session-label', 'ses-a')
    assert given.participants == ('01', '02')
    assert given.sessions == ('a',)


def test_constants_reach_the_physics(tmp_path):
    physics = settings(
        tmp_path, '--labeling-efficiency', '.8', '--t1-blood', '1.7', '--t1-tissue', '1.3',
        '--partition-coefficient', '.95', '--m0-scale', '10',
    ).physics  # fmt: skip
    assert (physics.labeling_efficiency, physics.t1_blood, physics.t1_tissue) == (0.8, 1.7, 1.3)
    assert (physics.partition_coefficient, physics.m0.scale) == (0.95, 10.0)


def test_the_tests_of_noise_and_model_can_be_chosen(tmp_path):
    assert settings(tmp_path).trust.misspecification is Misspecification.AUTO
    given = ('--misspecification', 'off', '--fdr', '.1', '--bootstrap', '0')
    assert settings(tmp_path, *given).trust == TrustOptions(Misspecification.OFF, 0, 0.1)


def test_least_squares_and_the_network_estimate_unless_told_otherwise(tmp_path):
    given = settings(tmp_path)
    assert given.estimators == (Estimator.LEAST_SQUARES, Estimator.NETWORK)
    assert given.network == NetworkOptions(1.0, None)


@pytest.mark.parametrize(
    ('arguments', 'estimators'),
    [
        (('--primary', 'nn'), 'nn lsq'),
        (('--estimator', 'hyb', 'lsq', 'hyb'), 'lsq hyb'),
        (('--estimator', 'nn'), 'nn'),
        (('--estimator', 'lsq', 'hyb', 'nn', '--primary', 'hyb'), 'hyb lsq nn'),
    ],
)
def test_the_primary_estimator_comes_first_and_each_once(tmp_path, arguments, estimators):
    assert ' '.join(settings(tmp_path, *arguments).estimators) == estimators


def test_a_primary_estimator_that_was_not_asked_for_is_refused(tmp_path):
    with pytest.raises(UsageError, match='--primary is nn; expected one of the estimators, lsq'):
        settings(tmp_path, '--estimator', 'lsq', '--primary', 'nn')


def test_weights_must_be_a_file_and_their_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match='--weights is no file'):
        settings(tmp_path, '--weights', 'mine.safetensors')
    (tmp_path / 'mine.safetensors').touch()
    given = settings(tmp_path, '--weights', 'mine.safetensors', '--nn-dial', '8')
    assert given.network == NetworkOptions(8.0, tmp_path / 'mine.safetensors')


def test_weights_behind_a_link_keep_the_name_that_their_card_has(tmp_path):
    (tmp_path / 'store').write_bytes(b'')
    (tmp_path / 'mine.safetensors').symlink_to(tmp_path / 'store')
    given = settings(tmp_path, '--weights', str(tmp_path / 'mine.safetensors'))
    assert given.network.weights == tmp_path / 'mine.safetensors'


def test_work_goes_beside_the_output_unless_told_otherwise(tmp_path):
    assert settings(tmp_path).work_dir == tmp_path / 'out' / '.work'
    assert not settings(tmp_path).keep_work
    assert settings(tmp_path, '-w', str(tmp_path / 'w')).keep_work


@pytest.mark.parametrize(
    'arguments',
    [
        ('--labeling-efficiency', '1.2'),
        ('--t1-blood', '-1'),
        ('--m0-scale', 'nan'),
        ('--nprocs', '0'),
        ('--device', 'tpu'),
        ('--device', 'cpu:1'),
        ('--estimator', 'magic'),
        ('--primary', 'magic'),
        ('--nn-dial', '0.5'),
        ('--nn-dial', '9'),
        ('--misspecification', 'maybe'),
        ('--fdr', '0'),
        ('--fdr', '1'),
        ('--fdr', 'nan'),
        ('--bootstrap', '-1'),
        ('--bootstrap', '2.5'),
        ('--no-such-option',),
    ],
)
def test_a_value_that_makes_no_sense_is_a_usage_error(tmp_path, arguments):
    with pytest.raises(SystemExit) as stop:
        settings(tmp_path, *arguments)
    assert stop.value.code == 2


@pytest.mark.parametrize('output', ['bids', 'bids/out', 'bids/sub-01'])
def test_output_inside_the_input_is_refused(tmp_path, output):
    (tmp_path / 'bids').mkdir()
    arguments = [str(tmp_path / 'bids'), str(tmp_path / output), 'participant']
    with pytest.raises(UsageError, match='inside the dataset'):
        build_settings(parse(arguments), arguments)


def test_output_in_the_derivatives_of_the_input_is_usual(tmp_path):
    (tmp_path / 'bids').mkdir()
    arguments = [str(tmp_path / 'bids'), str(tmp_path / 'bids/derivatives/x'), 'participant']
    assert build_settings(parse(arguments), arguments).output_dir.name == 'x'


def test_a_dataset_that_is_not_there_is_refused(tmp_path):
    arguments = [str(tmp_path / 'nowhere'), str(tmp_path / 'out'), 'participant']
    with pytest.raises(UsageError, match='not a folder'):
        build_settings(parse(arguments), arguments)


def test_a_work_folder_inside_the_input_is_refused(tmp_path):
    with pytest.raises(UsageError, match='inside the dataset'):
        settings(tmp_path, '-w', str(tmp_path / 'bids' / 'work'))


@pytest.mark.parametrize('option', ['OUTPUT_DIR', '--work-dir'])
def test_a_folder_that_cannot_be_made_is_refused_with_its_reason(tmp_path, option):
    (tmp_path / 'bids').mkdir()
    (tmp_path / 'file').touch()
    blocked = str(tmp_path / 'file' / 'folder')
    output = blocked if option == 'OUTPUT_DIR' else str(tmp_path / 'out')
    arguments = [str(tmp_path / 'bids'), output, 'participant']
    if option == '--work-dir':
        arguments += ['-w', blocked]
    with pytest.raises(UsageError, match='not writable') as error:
        build_settings(parse(arguments), arguments)
    assert error.value.problems[0].field == option


def test_words_where_a_number_belongs_are_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        settings(tmp_path, '--t1-blood', 'long')
    assert 'long is not a number' in capsys.readouterr().err


def test_an_engine_takes_its_arguments_as_pairs(tmp_path, monkeypatch):
    monkeypatch.setattr('shutil.which', lambda name: f'/usr/bin/{name}')
    assert settings(tmp_path).plugin == PluginOptions(Plugin.LOCAL)
    given = ('--nipype-plugin', 'SLURM', 'sbatch_args=--mem=4G --time=60', 'max_jobs=20')
    arguments = (('sbatch_args', '--mem=4G --time=60'), ('max_jobs', 20))
    assert settings(tmp_path, *given).plugin == PluginOptions(Plugin.SLURM, arguments)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('PBS',), 'is PBS; expected Local, Linear, MultiProc, SLURM, Dask'),
        (('SLURM', 'sbatch-args=x'), 'argument is sbatch-args=x; expected sbatch_args=… or'),
        (('MultiProc', '/data/bids'), 'argument is /data/bids; expected no argument'),
        (('SLURM',), 'SLURM: sbatch is absent'),
        (('Dask',), r'Dask: distributed is absent; .*pip install "aslprep_nn\[cluster\]"'),
        (('Dask', 'cluster=PBS', 'queue=long'), 'Dask: dask_jobqueue is absent'),
    ],
)
def test_an_engine_that_is_not_here_and_arguments_it_would_ignore_are_refused(
    tmp_path, monkeypatch, words, message
):
    monkeypatch.setattr('shutil.which', lambda name: None)
    monkeypatch.setattr('aslprep_nn.cli.checks.find_spec', lambda name: None)
    with pytest.raises(UsageError, match=message):
        settings(tmp_path, '--nipype-plugin', *words)


@pytest.mark.parametrize(
    ('word', 'n_bytes'), [('8G', 2**33), ('900M', 900 * 2**20), ('1.5GiB', 3 * 2**29), ('4', 2**22)]
)
def test_memory_is_given_with_its_unit_or_in_megabytes(tmp_path, word, n_bytes):
    assert settings(tmp_path, '--mem', word).memory == n_bytes


@pytest.mark.parametrize('word', ['lots', '0G', '-1G'])
def test_what_is_no_amount_of_memory_is_named(tmp_path, capsys, word):
    with pytest.raises(SystemExit):
        settings(tmp_path, f'--mem={word}')
    assert f'{word} is no amount of memory, such as 8G or 900M' in capsys.readouterr().err


def test_a_work_folder_of_ones_own_is_kept_unless_it_is_to_be_cleaned(tmp_path):
    assert not settings(tmp_path).keep_work
    assert settings(tmp_path, '-w', str(tmp_path / 'work')).keep_work
    assert not settings(tmp_path, '-w', str(tmp_path / 'work'), '--clean-workdir').keep_work
