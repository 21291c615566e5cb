"""T1 of blood is chosen by option, cells and field, and says how."""

from pathlib import Path

import pytest

from aslprep_nn.bids.blood import as_fraction, read_hematocrit, read_t1_blood
from aslprep_nn.bids.sidecar import Sidecar
from aslprep_nn.constants import Quantity
from aslprep_nn.settings import PhysicsOptions


def sidecar(**fields: float) -> Sidecar:
    return Sidecar(fields, dict.fromkeys(fields, 'asl.json'), 'asl.json')


@pytest.mark.parametrize(
    ('word', 'value'), [('.43', 0.43), ('0.6', 0.6), ('43', 0.43), ('36.5 ', 0.365), ('43%', 0.43)]
)
def test_a_hematocrit_is_read_as_fraction_or_percent(word, value):
    assert as_fraction(word) == pytest.approx(value)


@pytest.mark.parametrize('word', ['', 'n/a', 'nan', '-0.4', '0.05', '0.9', '4.3', '90', 'high'])
def test_what_no_living_blood_has_is_no_hematocrit(word):
    assert as_fraction(word) is None


def test_an_option_for_t1_makes_the_hematocrit_needless(tmp_path):
    options = PhysicsOptions(t1_blood=1.7, hematocrit='absent')
    asked = sidecar(MagneticFieldStrength=9.4)
    assert read_hematocrit(asked, options, tmp_path, '01') is None
    assert read_t1_blood(asked, options, None).value == 1.7
    assert not asked.problems


@pytest.mark.parametrize(
    'table', ['', 'participant_id\tage\nsub-01\t30\n', 'participant_id\thct\nsub-02\t.4\n']
)
def test_a_hematocrit_that_is_not_there_is_named_with_its_column(tmp_path, table):
    (tmp_path / 'participants.tsv').write_text(table, encoding='utf-8')
    asked = sidecar()
    assert read_hematocrit(asked, PhysicsOptions(hematocrit='hct'), tmp_path, '01') is None
    (problem,) = asked.problems
    assert (problem.file, problem.field) == ('participants.tsv', 'hct of sub-01')
    assert problem.found == 'absent'


def test_a_column_is_read_for_the_participant_and_says_so(tmp_path):
    table = 'participant_id\thct\nsub-02\t40\nsub-01\t36\n'
    (tmp_path / 'participants.tsv').write_text(table, encoding='utf-8')
    found = read_hematocrit(sidecar(), PhysicsOptions(hematocrit='hct'), tmp_path, '01')
    assert found == Quantity(0.36, '1', 'hct in participants.tsv')


def test_the_formula_says_what_it_was_made_of():
    cells = Quantity(0.36, '1', 'option --hematocrit')
    found = read_t1_blood(sidecar(MagneticFieldStrength=3), PhysicsOptions(), cells)
    assert found.source == 'Hales et al. 2016, hematocrit 0.36 (option --hematocrit), at 3 T'


def test_a_field_that_is_not_stated_is_taken_as_3_t_aloud():
    found = read_t1_blood(sidecar(), PhysicsOptions(), None)
    assert found.value == 1.65
    assert 'MagneticFieldStrength is absent' in found.source


@pytest.mark.parametrize(('field', 'cells'), [(9.4, None), (0.2, None), (0.55, 0.4), (30000, 0.4)])
def test_a_field_where_t1_is_not_known_is_refused(field, cells):
    asked = sidecar(MagneticFieldStrength=field)
    hematocrit = None if cells is None else Quantity(cells, '1', 'option --hematocrit')
    assert read_t1_blood(asked, PhysicsOptions(), hematocrit) is None
    (problem,) = asked.problems
    assert problem.field == 'MagneticFieldStrength'
    assert '--t1-blood' in problem.remedy


def test_the_file_of_participants_may_be_absent(tmp_path: Path):
    asked = sidecar()
    assert read_hematocrit(asked, PhysicsOptions(hematocrit='hct'), tmp_path, '01') is None
    assert asked.problems
