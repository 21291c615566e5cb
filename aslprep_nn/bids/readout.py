"""How images were read out: which slice when, and readouts that no model here describes."""

from __future__ import annotations

from pathlib import Path

from aslprep_nn.bids.sidecar import IN_SECONDS, Sidecar

SLICE_AXES = {'i': 0, 'j': 1, 'k': 2}


def refuse_readouts(sidecar: Sidecar, series: Path) -> None:
    """Complain about series whose volumes are no single images of label at one delay.

    Parameters
    ----------
    sidecar
        Of the series.
    series
        The image; the entity ``echo`` in its name is one sign of several echoes.
    """
    if sidecar.flag('LookLocker'):
        sidecar.complain(
            'LookLocker',
            'false: every excitation of a Look-Locker readout uses label up, which no model here '
            'describes',
            'Use a tool that fits Look-Locker ASL; correct the field if there was one excitation '
            'per volume.',
        )
    echo_times = sidecar.values.get('EchoTime')
    n_echoes = len(set(map(str, echo_times))) if isinstance(echo_times, list) else 1
    expected = 'one echo: no model here describes how label changes with the echo time'
    remedy = 'Keep the volumes of the first echo, and their entries of every array.'
    if n_echoes > 1:
        found = f'{n_echoes} different echo times (multi-echo)'
        sidecar.complain('EchoTime', expected, remedy, found=found)
    elif '_echo-' in series.name:
        found = f'{series.name}, one echo of several (multi-echo)'
        sidecar.complain('EchoTime', expected, remedy, found=found)


def read_slices(sidecar: Sidecar, shape: tuple[int, ...]) -> tuple[tuple[float, ...], int] | None:
    """Read the slice times in the order of the image's axis, and the axis.

    Parameters
    ----------
    sidecar
        Of the series.
    shape
        Of the image.

    Returns
    -------
    Times [s], () for a 3-D readout, and the axis; None, with problems in the sidecar, where they
    cannot be told.
    """
    if not sidecar.states('SliceTiming') or sidecar.values.get('MRAcquisitionType') == '3D':
        return (), 2
    times = sidecar.seconds('SliceTiming')
    direction = str(sidecar.values.get('SliceEncodingDirection') or 'k')
    if direction.rstrip('-') not in SLICE_AXES:
        sidecar.complain(
            'SliceEncodingDirection',
            'i, j or k, with or without "-"',
            'Write the axis of the image along which slices are stacked.',
        )
        return None
    axis = SLICE_AXES[direction.rstrip('-')]
    if times is None:
        return None
    if len(times) != shape[axis]:
        sidecar.complain(
            'SliceTiming',
            f'{shape[axis]} times, one per slice of the image',
            'Convert the series again, or correct the array.',
            found=f'an array of {len(times)}',
        )
        return None
    repetition_times = sidecar.seconds('RepetitionTimePreparation')
    if repetition_times and max(repetition_times) > 0 and max(times) >= max(repetition_times):
        sidecar.complain(
            'SliceTiming',
            f'less than the repetition time {max(repetition_times):g} s',
            IN_SECONDS,
            found=f'up to {max(times):g}',
        )
        return None
    return (times[::-1] if direction.endswith('-') else times), axis
