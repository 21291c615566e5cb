"""The table of protocols for people.

``PYTHONPATH=tests python -m protocols.document`` writes it.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from protocols.table import PROTOCOLS, Protocol

PAGE = Path(__file__).parents[2] / 'docs' / 'protocols.md'
LONGEST = 60
INTRODUCTION = """# Protocols

<!-- Written by `PYTHONPATH=tests python -m protocols.document`; edit tests/protocols instead. -->

Every row is a test: a dataset of that kind is simulated without noise by numerical integration \
that shares no code with the app, and what comes out of reader, calibration and fit is within 2 % \
of the true CBF and 20 ms of the true ATT in every voxel; or the run is refused, and the message \
names the field and the reason given here. Options stand in the column of metadata.

Fields not shown are as usual: 3 T, 3-D readout, M0 in a file of its own, nothing suppressed, \
delays of .3 to 2.1 s.
"""
REMARKS = """
## Remarks

- With one delay the consensus formulas are used (Alsop et al. 2015; Wong et al. 1998 for \
QUIPSS; Qin et al. 2022 for VSASL), which let label decay as in blood wherever it is: so does \
the truth of these rows.
- VSASL and time-encoded labelling have no words in BIDS. `ArterialSpinLabelingType: VSASL` is \
accepted, `PostLabelingDelay` being the time from the label pulse to the readout; the BIDS \
validator will complain. A time-encoded series needs `TimeEncodedMatrix`, square, one column per \
volume of a cycle: a first row of ones, then a row per sub-bolus, 1 for control and -1 for \
label. Its `PostLabelingDelay` and `LabelingDuration` have one entry per volume; within a cycle \
those from the second on are of the sub-boluses, in the order of the rows, each delay counted \
from the end of its own sub-bolus.
- A field strength within 5 % of .55, 1.5, 3 or 7 T takes the T1 of blood measured there \
(Campbell-Washburn et al. 2019; Alsop et al. 2015; Zhang et al. 2013). Others between 1.5 and 7 \
T, and every run with `--hematocrit`, take the formula of Hales et al. (2016) at an arterial \
oxygenation of .97. The T1 of tissue does not follow the field: a note says so.
- A series of `cbf` volumes alone is passed on as `_desc-given_cbf`, labelled as made elsewhere: \
nothing is estimated, and no other field is needed. Beside differences or pairs such volumes are \
left aside.
- Philips stores display values, scaled for each series anew. Where the sidecars state \
`PhilipsRescaleSlope`, `PhilipsScaleSlope` and `UsePhilipsFloatNotDisplayScaling`, as dcm2niix \
writes them, M0 is brought to the unit of the series (Chenevert et al. 2014).
- The six BIDS examples of real scanners (GE 3-D PCASL, Philips 2-D PCASL, Siemens 3-D PASL with \
Q2TIPS, 2-D PCASL of six delays, 3-D PCASL, 2-D multiband PCASL with M0 and noRF volumes) are \
read, too; the plans they lead to are in `tests/protocols/plans`.
"""


def page() -> str:
    """Write the whole page."""
    return '\n'.join([INTRODUCTION, *_tables(), REMARKS])


def _tables() -> Iterator[str]:
    families = dict.fromkeys(protocol.family for protocol in PROTOCOLS)
    for family in families:
        yield f'## {family}\n'
        yield '| protocol | volumes | metadata | result |'
        yield '|---|---|---|---|'
        yield from (_row(protocol) for protocol in PROTOCOLS if protocol.family == family)
        yield ''


def _row(protocol: Protocol) -> str:
    result = f'**{protocol.gives}**' if protocol.gives else f'refused: {_refusal(protocol)}'
    if protocol.says:
        result += f'; says: {protocol.says}'
    return f'| {protocol.title} | {_volumes(protocol)} | {_metadata(protocol)} | {result} |'


def _refusal(protocol: Protocol) -> str:
    field = protocol.names.replace(f' of sub-{protocol.name}', '')
    return f'`{field}`, "{protocol.reason}"'


def _volumes(protocol: Protocol) -> str:
    counts = Counter(shot.kind for shot in protocol.shots)
    return ', '.join(f'{n} {kind}' for kind, n in counts.items())


def _metadata(protocol: Protocol) -> str:
    labeling = {'ArterialSpinLabelingType': protocol.physics.labeling}
    fields = {**labeling, **protocol.sidecar}
    written = [f'{name}: {_shown(value)}' for name, value in fields.items() if value is not None]
    written += [
        f'--{name.replace("_", "-")} {getattr(value, "value", value)}'
        for name, value in protocol.options.items()
    ]
    return '<br>'.join(f'`{words}`' for words in written)


def _shown(value: object) -> str:
    text = str(value).replace('|', '\\|')
    return text if len(text) <= LONGEST else f'{text[:LONGEST]}...'


if __name__ == '__main__':
    PAGE.write_text(page(), encoding='utf-8')
