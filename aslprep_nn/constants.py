"""Physical constants with their sources, and the record of where a value came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aslprep_nn.acquisition import LabelingType


@dataclass(frozen=True)
class Quantity:
    """A number that can answer "where did you come from?".

    Parameters
    ----------
    value
        The number.
    unit
        As BIDS writes it, '1' for a ratio.
    source
        The sidecar field, the option, or 'default' with its citation.
    """

    value: float
    unit: str
    source: str

    def __str__(self) -> str:
        unit = '' if self.unit == '1' else f' {self.unit}'
        return f'{self.value:g}{unit} ({self.source})'


LABELING_EFFICIENCY = {
    LabelingType.PCASL: Quantity(0.85, '1', 'default for PCASL, Alsop et al. 2015'),
    LabelingType.CASL: Quantity(0.68, '1', 'default for CASL, Wang et al. 2005'),
    LabelingType.PASL: Quantity(0.98, '1', 'default for PASL, Alsop et al. 2015'),
    LabelingType.VSASL: Quantity(0.56, '1', 'default for VSASL, Qin et al. 2022'),
}

#: What one background-suppression pulse leaves of the label (Garcia et al. 2005).
EFFICIENCY_PER_SUPPRESSION_PULSE = 0.95

T1_TISSUE = Quantity(1.2, 's', 'default for brain at 3 T, Wang, Tamir & Bush')
T1_KIDNEY = Quantity(1.4, 's', 'default for kidney at 3 T, Wang, Tamir & Bush')
PARTITION_COEFFICIENT = Quantity(0.9, 'mL/g', 'default, Herscovitch & Raichle 1985')

#: Field strength [T] to the T1 of arterial blood.
T1_BLOOD = {
    0.55: Quantity(1.122, 's', 'default at 0.55 T, Campbell-Washburn et al. 2019'),
    1.5: Quantity(1.35, 's', 'default at 1.5 T, Alsop et al. 2015'),
    3.0: Quantity(1.65, 's', 'default at 3 T, Alsop et al. 2015'),
    7.0: Quantity(2.087, 's', 'default at 7 T, Zhang et al. 2013'),
}

DEFAULT_FIELD = 3.0
#: By how much a field may differ from a nominal one: scanners report 2.89 T for 3 T [1].
FIELD_TOLERANCE = 0.05

#: Volume of red cells in blood where it was not measured [1].
HEMATOCRIT = 0.43
#: Fields at which T1 of blood was measured for the formula of `t1_of_blood` [T].
HEMATOCRIT_FIELDS = (1.5, 7.0)
#: Share of arterial haemoglobin that carries oxygen [1], and haemoglobin in red cells [mmol/L].
ARTERIAL_OXYGENATION, CORPUSCULAR_HEMOGLOBIN = 0.97, 5.15
#: Share of water in red cells and in plasma [1].
WATER_IN_CELLS, WATER_IN_PLASMA = 0.70, 0.95

#: Field strength [T] to T2* of cortex, by which M0 of another echo time is corrected.
T2_STAR = {
    1.5: Quantity(0.084, 's', 'default at 1.5 T, Peters et al. 2007'),
    3.0: Quantity(0.066, 's', 'default at 3 T, Peters et al. 2007'),
}
T2_STAR_BLOOD = Quantity(0.0436, 's', 'default at 3 T, Çavuşoğlu et al. 2009')


def at_field(values: Mapping[float, Quantity], field: float) -> Quantity | None:
    """Look a quantity up by field strength [T]; None where none is within `FIELD_TOLERANCE`."""
    near = [nominal for nominal in values if abs(field - nominal) <= FIELD_TOLERANCE * nominal]
    return values[near[0]] if near else None


def t1_of_blood(hematocrit: float, field: float) -> float:
    """Predict T1 of arterial blood [s] from its red cells (Hales et al. 2016, eq. 1-6).

    Water exchanges fast between cells and plasma, so that their rates add up by the share of
    water in each; both rates fall linearly with the field. At 3 T and a hematocrit of .43 it
    is 1.645 s, the usual default being 1.65 s.

    Parameters
    ----------
    hematocrit
        Volume of red cells [1].
    field
        Within `HEMATOCRIT_FIELDS` [T].
    """
    in_cells = WATER_IN_CELLS * hematocrit
    share = in_cells / (in_cells + WATER_IN_PLASMA * (1 - hematocrit))
    deoxygenated = CORPUSCULAR_HEMOGLOBIN * (1 - ARTERIAL_OXYGENATION)
    cells = 1.099 - 0.057 * field + 0.033 * deoxygenated
    plasma = 0.496 - 0.023 * field
    return 1 / (share * cells + (1 - share) * plasma)


@dataclass(frozen=True)
class ReferenceConstants:
    """What turns the signal of a region into M0 of blood.

    Parameters
    ----------
    blood_over_tissue
        Ratio of their magnetisations in equilibrium [1].
    t1, t2_star
        Of the region [s].
    """

    blood_over_tissue: Quantity
    t1: Quantity
    t2_star: Quantity


FLUID = ReferenceConstants(
    Quantity(0.87, '1', 'blood over cerebrospinal fluid, Wong et al. 1998'),
    Quantity(4.3, 's', 'default at 3 T, Lin et al. 2001'),
    Quantity(0.0749, 's', 'default at 3 T, Çavuşoğlu et al. 2009'),
)
WHITE_MATTER = ReferenceConstants(
    Quantity(1.19, '1', 'blood over white matter, Çavuşoğlu et al. 2009'),
    Quantity(0.832, 's', 'default at 3 T, Wansapura et al. 1999'),
    Quantity(0.0447, 's', 'default at 3 T, Çavuşoğlu et al. 2009'),
)
