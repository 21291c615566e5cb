"""Where a value that is missing can be found, vendor by vendor, and how to supply it.

The sources are the table of fields that dcm2niix reads from each vendor
(github.com/rordenlab/dcm2niix, BIDS/README.md and GE/README.md, 2023), the macro for arterial
spin labelling of the DICOM standard (PS3.3 C.8.13.5.14), the ASL part of the BIDS specification
(1.10) and, for Siemens XA, ExploreASL issue 1130, which found the values in the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Vendor(StrEnum):
    """Who built the scanner, as the field ``Manufacturer`` begins."""

    SIEMENS = 'Siemens'
    GE = 'GE'
    PHILIPS = 'Philips'


@dataclass(frozen=True)
class Help:
    """Where to look for one field.

    Parameters
    ----------
    places
        By vendor.
    option
        The option that gives the value on the command line; '' where there is none.
    """

    places: dict[Vendor, str]
    option: str = ''


PRINTOUT = 'the protocol printout'
EXAM_CARD = 'the ExamCard; dcm2niix finds no such field in the DICOM header'
HELP = {
    'ArterialSpinLabelingType': Help(
        {
            Vendor.SIEMENS: 'DICOM (0018,9250), or the sequence: ep2d_pasl and tgse_pasl are PASL',
            Vendor.GE: 'DICOM (0043,10A3); the 3D ASL product is PCASL',
            Vendor.PHILIPS: EXAM_CARD,
        }
    ),
    'LabelingDuration': Help(
        {
            Vendor.SIEMENS: 'DICOM (0018,9258) in ms; on XA sAsl.ulLabelingDuration, in µs, in the '
            f'protocol inside the header; else {PRINTOUT}',
            Vendor.GE: 'DICOM (0043,10A5) in ms, but for eASL with several delays the protocol',
            Vendor.PHILIPS: EXAM_CARD,
        }
    ),
    'PostLabelingDelay': Help(
        {
            Vendor.SIEMENS: 'InversionTime of dcm2niix for the PASL products; on XA '
            f'sAsl.sPostLabelingDelay, in µs, in the protocol inside the header; else {PRINTOUT}',
            Vendor.GE: 'DICOM (0018,0082) in ms, but for eASL with several delays the protocol',
            Vendor.PHILIPS: EXAM_CARD,
        }
    ),
    'M0Type': Help(
        {
            Vendor.SIEMENS: 'Included if the first volume is much brighter than the others, '
            'Separate if M0 is a series of its own',
            Vendor.GE: 'the 3D ASL product makes a proton density volume: Included if it is part '
            'of the series, Separate if a file of its own',
            Vendor.PHILIPS: 'M0 is mostly a series of its own: Separate',
        }
    ),
    'BolusCutOffFlag': Help(
        {
            Vendor.SIEMENS: f'DICOM (0018,925C), or {PRINTOUT}: PICORE Q2T is Q2TIPS',
            Vendor.GE: 'DICOM (0018,925C), or the protocol',
            Vendor.PHILIPS: EXAM_CARD,
        }
    ),
    'BolusCutOffTechnique': Help(
        {
            Vendor.SIEMENS: f'DICOM (0018,925E), or {PRINTOUT}: PICORE Q2T is Q2TIPS',
            Vendor.GE: 'DICOM (0018,925E), or the protocol',
            Vendor.PHILIPS: EXAM_CARD,
        }
    ),
    'BolusCutOffDelayTime': Help(
        {
            Vendor.SIEMENS: 'BolusDuration of dcm2niix for the PASL products, or DICOM '
            f'(0018,925F) in ms; else {PRINTOUT}',
            Vendor.GE: 'DICOM (0018,925F) in ms, or the protocol',
            Vendor.PHILIPS: EXAM_CARD,
        }
    ),
    'RepetitionTimePreparation': Help(
        {
            Vendor.SIEMENS: 'DICOM (0018,0080) in ms, RepetitionTime of dcm2niix',
            Vendor.GE: 'for the proton density volume of the 3D ASL product the time since its '
            'saturation, often 2 s; for others DICOM (0018,0080) in ms',
            Vendor.PHILIPS: 'DICOM (0018,0080) in ms, RepetitionTime of dcm2niix',
        }
    ),
    'BackgroundSuppression': Help(
        {
            Vendor.SIEMENS: f'{PRINTOUT}; the DICOM header has no field for it',
            Vendor.GE: 'the 3D ASL product suppresses; the DICOM header has no field for it',
            Vendor.PHILIPS: EXAM_CARD,
        }
    ),
    'BackgroundSuppressionNumberPulses': Help(
        {
            Vendor.SIEMENS: f'{PRINTOUT}; 4 for the 3-D product in BIDS example asl005',
            Vendor.GE: 'the protocol; 4 for the 3D ASL product in BIDS example asl001',
            Vendor.PHILIPS: 'the ExamCard; 2 for 2-D EPI in BIDS example asl002',
        },
        option='--labeling-efficiency',
    ),
    'LabelingEfficiency': Help({}, option='--labeling-efficiency'),
    'MagneticFieldStrength': Help({}, option='--t1-blood'),
}


def where_to_find(field: str, manufacturer: object, sidecar: str) -> str:
    """Say where a missing value stands at the scanner and where to write it.

    Parameters
    ----------
    field
        As BIDS names it.
    manufacturer
        The field ``Manufacturer``, as found; where it names a vendor only that one is told.
    sidecar
        The file the value belongs into.

    Returns
    -------
    '' where nothing is known of the field.
    """
    known = HELP.get(field)
    if known is None:
        return ''
    made_by = [vendor for vendor in known.places if _names(manufacturer, vendor)]
    places = [f'{vendor}: {known.places[vendor]}.' for vendor in made_by or known.places]
    suffix = sidecar.removesuffix('.json').rpartition('_')[2]
    supply = f'Write it into {sidecar}, or once for all series into {suffix}.json at the top.'
    if known.option:
        supply = f'{supply} On the command line: {known.option}.'
    return ' '.join([*places, supply])


def _names(manufacturer: object, vendor: Vendor) -> bool:
    return isinstance(manufacturer, str) and manufacturer.lower().startswith(vendor.lower())
