"""Options of physics arrive in the settings."""

import pytest

from aslprep_nn.cli.parser import build_settings, parse
from aslprep_nn.errors import UsageError
from aslprep_nn.settings import Organ, PhysicsOptions


def physics(tmp_path, *options: str) -> PhysicsOptions:
    bids = tmp_path / 'bids'
    bids.mkdir(exist_ok=True)
    arguments = [str(bids), str(tmp_path / 'out'), 'participant', *options]
    return build_settings(parse(arguments), arguments).physics


@pytest.mark.parametrize(
    ('given', 'read'), [('.36', 0.36), ('36%', 0.36), ('36', 0.36), ('hct_venous', 'hct_venous')]
)
def test_a_hematocrit_is_a_number_or_names_a_column(tmp_path, given, read):
    assert physics(tmp_path, '--hematocrit', given).hematocrit == read


def test_a_hematocrit_nobody_has_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        physics(tmp_path, '--hematocrit', '3')
    assert '3 is no hematocrit' in capsys.readouterr().err


def test_the_organ_is_the_brain_unless_said_otherwise(tmp_path):
    assert physics(tmp_path).organ is Organ.BRAIN
    assert physics(tmp_path, '--organ', 'kidney').organ is Organ.KIDNEY


def test_a_kidney_has_no_ventricles_to_take_m0_from(tmp_path):
    with pytest.raises(UsageError, match='--m0-method is reference'):
        physics(tmp_path, '--organ', 'kidney', '--m0-method', 'reference')
