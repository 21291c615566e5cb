"""How drawings become bytes."""

import io
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
from PIL import Image

from aslprep_nn.report.figures import IN_THE_DARK, INK, as_png, as_svg, blank


def drawing():
    canvas = blank(200, 100)
    axes = canvas.subplots()
    axes.plot([0, 1], [0, 1], color=INK, marker='o')
    axes.set_title('a < b & c', color=INK)
    return canvas


def test_an_svg_is_the_same_every_time():
    assert as_svg(drawing(), 'figure') == as_svg(drawing(), 'figure')


def test_an_svg_has_the_size_it_was_asked_for_and_no_date():
    text = as_svg(drawing(), 'figure').decode()
    assert 'width="150pt" height="75pt"' in text
    assert not re.search(r'20\d\d-\d\d-\d\d', text)


def test_an_svg_is_well_formed_and_keeps_its_words():
    root = ET.fromstring(as_svg(drawing(), 'figure'))  # noqa: S314 - our own bytes
    words = [''.join(node.itertext()) for node in root.iter('{http://www.w3.org/2000/svg}text')]
    assert 'a < b & c' in words


def test_every_colour_of_a_curve_has_one_for_a_dark_page():
    text = as_svg(drawing(), 'figure').decode()
    assert f'stroke: {INK}' in text
    assert f'[style*="stroke: {INK}"]{{stroke:{IN_THE_DARK[INK]}!important}}' in text


def test_a_png_is_twice_as_fine_as_the_screen():
    assert Image.open(io.BytesIO(as_png(drawing()))).size == (400, 200)


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    before = dict(mpl.rcParams)
    as_svg(drawing(), 'figure')
    as_png(drawing())
    assert dict(mpl.rcParams) == before


def test_colours_of_the_dark_are_readable_on_a_dark_page():
    def luminance(color):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
                  for c in mpl.colors.to_rgb(color)]  # fmt: skip
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    def contrast(one, other):
        bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
        return (bright + 0.05) / (dim + 0.05)

    assert contrast(INK, '#ffffff') > 7
    assert contrast(IN_THE_DARK[INK], '#1c2128') > 7
