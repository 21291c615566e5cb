"""One M0 of blood is compared with that of another region before it is believed."""

import numpy as np
import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.calibration.measured import MeasuredM0, measured_m0
from aslprep_nn.constants import FLUID, WHITE_MATTER
from aslprep_nn.errors import ImageError, Problem
from aslprep_nn.run import M0Plan, M0Route
from aslprep_nn.settings import M0Method, M0Options, ReferenceTissue

AFFINE = np.diag([3.0, 3.0, 4.0, 1.0])
X, Y, Z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (30, 36, 24)), indexing='ij')
RADIUS = np.sqrt(X**2 + Y**2 + Z**2)
BRAIN = RADIUS < 0.95
VENTRICLE = (abs(X) < 0.15) & (RADIUS < 0.25)
SECONDS = 4.0
M0_BLOOD = 1000.0
ACQUISITION = Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85)


def measure(
    fluid: float, tissue: ReferenceTissue, seconds: float = SECONDS
) -> tuple[MeasuredM0, float]:
    """Measure a head whose fluid is so many times as bright as it should be."""
    white, water = (
        M0_BLOOD / each.blood_over_tissue.value * -np.expm1(-seconds / each.t1.value)
        for each in (WHITE_MATTER, FLUID)
    )
    image = np.where(RADIUS > 0.7, 1.1 * white, white)
    image = np.where(VENTRICLE, fluid * water, image) * BRAIN
    delta_m = np.where(RADIUS > 0.7, 10.0, 3.3) * BRAIN * ~VENTRICLE
    measured = measured_m0(
        image[..., None],
        delta_m,
        BRAIN,
        AFFINE,
        plan=M0Plan(M0Route.SEPARATE, repetition_times=(seconds,)),
        acquisition=ACQUISITION,
        options=M0Options(method=M0Method.REFERENCE, reference=tissue),
    )
    return measured, float(measured.m0[0, 0, 0]) / ACQUISITION.partition_coefficient


@pytest.mark.parametrize('tissue', list(ReferenceTissue))
def test_regions_that_agree_need_no_warning(tissue):
    measured, blood = measure(1.0, tissue)
    assert blood == pytest.approx(M0_BLOOD, rel=0.01)
    assert f'voxels of {tissue.label}' in measured.notes[0]
    if tissue is ReferenceTissue.FLUID:
        assert measured.white_over_fluid == pytest.approx(1, abs=0.01)
        assert 'White matter gives an M0 of blood of' in measured.notes[1]
    else:
        assert (measured.white_over_fluid, len(measured.notes)) == (None, 1)


def test_fluid_that_disagrees_with_white_matter_is_measured_as_such():
    measured, blood = measure(0.5, ReferenceTissue.FLUID)
    assert blood == pytest.approx(M0_BLOOD / 2, rel=0.05)
    assert measured.white_over_fluid == pytest.approx(2, rel=0.05)


def test_fluid_without_white_matter_to_compare_with_is_used_and_said_so(monkeypatch):
    def found(tissue, *arguments, **options):
        if tissue is ReferenceTissue.WHITE_MATTER:
            raise ImageError(Problem('the M0 image', 'region', '3 voxels', '5', 'Use another.'))
        return VENTRICLE

    monkeypatch.setattr('aslprep_nn.calibration.measured.find_region', found)
    measured, blood = measure(1.0, ReferenceTissue.FLUID)
    assert blood == pytest.approx(M0_BLOOD, rel=0.01)
    assert any('compared with nothing' in note for note in measured.notes)
    assert measured.white_over_fluid is None
    with pytest.raises(ImageError):
        measure(1.0, ReferenceTissue.WHITE_MATTER)
