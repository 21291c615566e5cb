import math

import pytest

from aslprep_nn.cli.tools import main, simulate
from aslprep_nn.simulation.dataset import Study
from aslprep_nn.simulation.motion import MotionLevel
from aslprep_nn.simulation.protocols import Preset


@pytest.fixture
def asked_for(monkeypatch):
    """Runs the command and returns what it would have written, and where."""
    written = []
    monkeypatch.setattr(simulate, 'write_study', lambda root, study: written.append((root, study)))

    def ask(*options):
        assert main(['simulate', 'somewhere', *options]) == 0
        return written[-1][1]

    return ask


def test_by_default_the_demo_is_made_with_seed_0(asked_for):
    assert asked_for() == Study(Preset.DEMO, seed=0, motion_level=MotionLevel.MILD)


@pytest.mark.parametrize(
    ('options', 'field', 'value'),
    [
        (('--preset', 'multi-delay'), 'preset', Preset.MULTI_DELAY),
        (('--n-subjects', '7'), 'n_subjects', 7),
        (('--seed', '5'), 'seed', 5),
        (('--snr', '120'), 'snr', 120.0),
        (('--noise-free',), 'snr', math.inf),
        (('--motion', 'strong'), 'motion_level', MotionLevel.STRONG),
        (('--deltam',), 'subtracted', True),
    ],
)
def test_each_option_reaches_the_study(asked_for, options, field, value):
    assert getattr(asked_for(*options), field) == value
    assert getattr(asked_for(), field) != value


@pytest.mark.parametrize(
    ('options', 'complaint'),
    [
        (('--snr', '0'), '0 is not above 0'),
        (('--n-subjects', '0'), '0 is not 1 or more'),
        (('--seed', '-1'), '-1 is not 0 or more'),
        (('--preset', 'lunch'), "invalid Preset value: 'lunch'"),
        (('--snr', '9', '--noise-free'), 'not allowed with argument'),
    ],
)
def test_an_impossible_option_is_refused_in_words(capsys, options, complaint):
    with pytest.raises(SystemExit) as stopped:
        main(['simulate', 'somewhere', *options])
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_folder_in_use_is_a_usage_error_with_a_remedy(tmp_path, capsys):
    (tmp_path / 'file').touch()
    assert main(['simulate', str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert f'{tmp_path} is not empty; expected a new or empty folder. Choose another' in message
    assert 'Traceback' not in message
