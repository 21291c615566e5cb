"""A figure with its words, and how it becomes bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from enum import StrEnum

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas
from PIL import Image

#: Curves are drawn in these colours; the second is what a dark page shows instead.
INK = '#1d2733'
FAINT = '#8a94a0'
GRID = '#d9dee4'
BLUE = '#0072b2'
ORANGE = '#c65a00'
GREEN = '#00795a'
PURPLE = '#a3528a'
SHADE = '#e2eee9'
IN_THE_DARK = {
    INK: '#e4e8ee',
    FAINT: '#8d97a5',
    GRID: '#343c47',
    BLUE: '#56b4e9',
    ORANGE: '#f0a04b',
    GREEN: '#35c99b',
    PURPLE: '#d793c0',
    SHADE: '#1f352f',
}

#: Pixels of a screen in an inch, and image pixels behind each of them.
SCREEN_DPI = 96
SHARPNESS = 2


WITHOUT_METADATA = {'Date': None, 'Creator': None, 'Format': None, 'Type': None}


class Mime(StrEnum):
    """What the bytes of a figure are."""

    PNG = 'image/png'
    SVG = 'image/svg+xml'

    @property
    def extension(self) -> str:
        """As the file name ends."""
        return 'png' if self is Mime.PNG else 'svg'


@dataclass(frozen=True)
class Figure:
    """A picture and everything said about it.

    Parameters
    ----------
    name
        Letters and digits only: it goes into the file name.
    caption
        What is shown and how to read it.
    alt
        What someone who cannot see it should know.
    mime
        What ``data`` are.
    data
        The file.
    width, height
        Natural size on a screen [px].
    """

    name: str
    caption: str
    alt: str
    mime: Mime
    data: bytes
    width: int
    height: int


def blank(width: float, height: float) -> Canvas:
    """Start a drawing of the given size on a screen [px]."""
    return Canvas(
        figsize=(width / SCREEN_DPI, height / SCREEN_DPI),
        dpi=SCREEN_DPI * SHARPNESS,
        facecolor='none',
    )


def screen_width(canvas: Canvas) -> int:
    """Return how wide a drawing is on a screen [px]."""
    return round(canvas.get_figwidth() * SCREEN_DPI)


def screen_height(canvas: Canvas) -> int:
    """Return how high a drawing is on a screen [px]."""
    return round(canvas.get_figheight() * SCREEN_DPI)


def curve(canvas: Canvas, name: str, caption: str, alt: str) -> Figure:
    """Make a figure of a drawing of curves, which stays sharp at any size."""
    return Figure(
        name,
        caption,
        alt,
        Mime.SVG,
        as_svg(canvas, name),
        screen_width(canvas),
        screen_height(canvas),
    )


def as_svg(canvas: Canvas, name: str) -> bytes:
    """Write a drawing as SVG, the same bytes every time, that follows a page into the dark.

    Text stays text, in whatever sans-serif the reader has.
    """
    buffer = io.BytesIO()
    with mpl.rc_context({'svg.hashsalt': name, 'svg.fonttype': 'none'}):
        canvas.savefig(buffer, format='svg', metadata=WITHOUT_METADATA)
    text = buffer.getvalue().decode()
    rules = ''.join(_dark_rules(light, dark) for light, dark in IN_THE_DARK.items())
    style = f'<style>@media screen and (prefers-color-scheme: dark) {{{rules}}}</style></svg>'
    return text.replace('</svg>', style).encode()


def as_png(canvas: Canvas) -> bytes:
    """Write a drawing as PNG, twice as fine as the screen."""
    buffer = io.BytesIO()
    canvas.savefig(buffer, format='rgba')
    size = canvas.canvas.get_width_height()
    image = Image.frombytes('RGBA', size, buffer.getvalue()).convert('RGB')
    compressed = io.BytesIO()
    image.save(compressed, 'PNG', compress_level=6)
    return compressed.getvalue()


def _dark_rules(light: str, dark: str) -> str:
    return ''.join(
        f'[style*="{attribute}: {light}"]{{{attribute}:{dark}!important}}'
        for attribute in ('fill', 'stroke')
    )
