"""T1 of blood: from an option, from red cells, or from the field of the scanner."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from aslprep_nn.bids.sidecar import Sidecar
from aslprep_nn.constants import (
    DEFAULT_FIELD,
    FIELD_TOLERANCE,
    HEMATOCRIT,
    HEMATOCRIT_FIELDS,
    T1_BLOOD,
    Quantity,
    at_field,
    t1_of_blood,
)
from aslprep_nn.errors import Problem
from aslprep_nn.settings import PhysicsOptions

#: No living adult or newborn has less or more [1]; clinics write the same numbers in percent.
HEMATOCRIT_RANGE = (0.15, 0.75)
TABLE = 'participants.tsv'
GIVE_T1 = 'For another field give the T1 of blood by --t1-blood.'


def read_hematocrit(
    sidecar: Sidecar, options: PhysicsOptions, root: Path, subject: str
) -> Quantity | None:
    """Read how much of the blood is red cells; None where nobody asked or it cannot be told.

    Parameters
    ----------
    sidecar
        Where problems are remembered.
    options
        `PhysicsOptions.hematocrit` is a number, or a column of ``participants.tsv``.
    root
        The dataset.
    subject
        Label, without ``sub-``.
    """
    asked = options.hematocrit
    if asked is None or options.t1_blood is not None:
        return None
    if isinstance(asked, float):
        return Quantity(asked, '1', 'option --hematocrit')
    word = _cell(root / TABLE, asked, f'sub-{subject}')
    value = as_fraction(word)
    if value is None:
        sidecar.problems.append(
            Problem(
                TABLE,
                f'{asked} of sub-{subject}',
                repr(word) if word else 'absent',
                'the hematocrit, as a fraction from {:g} to {:g} or in percent'.format(
                    *HEMATOCRIT_RANGE
                ),
                'Fill it in, or leave --hematocrit out and process this participant with the '
                'default T1 of blood.',
            )
        )
        return None
    return Quantity(value, '1', f'{asked} in {TABLE}')


def as_fraction(word: str) -> float | None:
    """Read a hematocrit written as a fraction or in percent; None where it is neither."""
    low, high = HEMATOCRIT_RANGE
    try:
        value = float(word.strip().removesuffix('%'))
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    value = value / 100 if value > 1 else value
    return value if low <= value <= high else None


def read_t1_blood(
    sidecar: Sidecar, options: PhysicsOptions, hematocrit: Quantity | None
) -> Quantity | None:
    """Choose T1 of blood at the field of the scanner.

    Near a field at which it was measured that value is taken; between those, or where red cells
    were counted, the formula of Hales et al. (2016).
    """
    if options.t1_blood is not None:
        return Quantity(options.t1_blood, 's', 'option --t1-blood')
    field, assumed = sidecar.number('MagneticFieldStrength'), ''
    if field is None:
        if sidecar.states('MagneticFieldStrength'):
            return None
        field, assumed = DEFAULT_FIELD, '; MagneticFieldStrength is absent'
    known = at_field(T1_BLOOD, field)
    if known is not None and hematocrit is None:
        return replace(known, source=f'{known.source}{assumed}')
    low, high = HEMATOCRIT_FIELDS
    if low * (1 - FIELD_TOLERANCE) <= field <= high * (1 + FIELD_TOLERANCE):
        cells = hematocrit or Quantity(HEMATOCRIT, '1', 'default')
        source = f'Hales et al. 2016, hematocrit {cells}, at {field:g} T{assumed}'
        return Quantity(round(t1_of_blood(cells.value, field), 4), 's', source)
    fields = f'{low:g} to {high:g} T'
    if hematocrit is None:
        fields += ''.join(f', or {other:g} T' for other in T1_BLOOD if other < low)
    else:
        fields += ', where the T1 of blood is known to follow the hematocrit'
    sidecar.complain('MagneticFieldStrength', fields, GIVE_T1)
    return None


def _cell(table: Path, column: str, participant: str) -> str:
    """Return one entry of the table of participants; '' where there is none."""
    try:
        lines = table.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError):
        return ''
    rows = [[word.strip() for word in line.split('\t')] for line in lines if line.strip()]
    header = rows[0] if rows else []
    if not {'participant_id', column} <= set(header):
        return ''
    name, wanted = header.index('participant_id'), header.index(column)
    found = [row[wanted] for row in rows[1:] if row[name] == participant and wanted < len(row)]
    return found[0] if found else ''
