"""The figures of the reproduction."""

from xml.etree import ElementTree

import pytest
from PIL import Image

from aslprep_nn.misspecification.reproduction import convergence
from aslprep_nn.misspecification.reproduction.convergence import organ_convergence
from aslprep_nn.misspecification.reproduction.early_late import scatter, subset_maps
from aslprep_nn.misspecification.reproduction.own_t1 import own_t1_maps
from aslprep_nn.misspecification.reproduction.phantoms import kidney_slice
from aslprep_nn.misspecification.reproduction.scenarios import BRAIN, KIDNEY, Scenario
from aslprep_nn.report.reproduction import convergence_figure, scatter_figure
from aslprep_nn.report.reproduction_maps import own_t1_figure, subset_figure


def words(svg: bytes) -> str:
    return ' '.join(ElementTree.fromstring(svg).itertext())  # noqa: S314 - our own file


def test_convergence_names_the_null_band_and_every_curve(monkeypatch):
    monkeypatch.setattr(convergence, 'N_REPETITIONS', (2, 8, 10))
    figure = convergence_figure([organ_convergence(organ, 30, 20, 0) for organ in (BRAIN, KIDNEY)])
    said = words(figure.data)
    for phrase in ('null: median', 'null: 5 to 95 %', 'one repetition moved', 'Cramér-Rao bound',
                   'brain: kappa', 'kidney: ATT [ms]', 'repetitions M', '∞'):  # fmt: skip
        assert phrase in said


def test_scatter_has_a_panel_for_each_half_of_each_organ():
    said = words(scatter_figure([scatter(organ, 60, 0) for organ in (BRAIN, KIDNEY)]).data)
    for phrase in (
        'brain, early delays',
        'kidney, late delays',
        'variance of CBF [(mL/100 g/min)²]',
    ):
        assert phrase in said


@pytest.mark.parametrize('kind', ['subsets', 'own T1'])
def test_maps_are_pictures_of_the_size_they_say(kind, tmp_path):
    kidney = kidney_slice(0)
    if kind == 'subsets':
        figure = subset_figure([subset_maps(kidney, Scenario.OUTFLOW, 0)])
        assert 'kidney, outflow' in figure.caption
    else:
        figure = own_t1_figure([own_t1_maps(kidney, 0)])
    path = tmp_path / 'figure.png'
    path.write_bytes(figure.data)
    with Image.open(path) as picture:
        assert picture.width == pytest.approx(2 * figure.width, abs=2)
        assert picture.getpixel((1, 1)) == (255, 255, 255)
        assert len(picture.convert('L').getcolors()) > 50
