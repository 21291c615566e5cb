"""A missing value comes with where it stands at the scanner, and with how to supply it."""

import pytest

from aslprep_nn.bids.sidecar import Sidecar
from aslprep_nn.bids.vendors import HELP, Vendor, where_to_find

SIDECAR = 'sub-01/perf/sub-01_asl.json'


@pytest.mark.parametrize(
    ('manufacturer', 'vendor', 'place'),
    [
        ('SIEMENS', Vendor.SIEMENS, 'sAsl.ulLabelingDuration'),
        ('Siemens Healthineers', Vendor.SIEMENS, 'sAsl.ulLabelingDuration'),
        ('GE MEDICAL SYSTEMS', Vendor.GE, '(0043,10A5)'),
        ('Philips Medical Systems', Vendor.PHILIPS, 'ExamCard'),
    ],
)
def test_only_the_vendor_of_the_scanner_is_told_where_it_is_stated(manufacturer, vendor, place):
    told = where_to_find('LabelingDuration', manufacturer, SIDECAR)
    assert place in told
    assert [other for other in Vendor if f'{other}:' in told] == [vendor]


@pytest.mark.parametrize('manufacturer', [None, '', 'UIH', 3, ['Siemens']])
def test_all_vendors_are_told_where_it_is_not(manufacturer):
    told = where_to_find('LabelingDuration', manufacturer, SIDECAR)
    assert all(f'{vendor}:' in told for vendor in Vendor)


@pytest.mark.parametrize('field', HELP)
def test_every_message_says_where_to_write_the_value(field):
    told = where_to_find(field, 'GE', SIDECAR)
    assert f'Write it into {SIDECAR}, or once for all series into asl.json at the top.' in told
    assert HELP[field].option in told


def test_a_field_of_m0_belongs_into_a_sidecar_of_m0():
    told = where_to_find('RepetitionTimePreparation', 'GE', 'sub-01/perf/sub-01_m0scan.json')
    assert 'into m0scan.json at the top' in told


def test_nothing_is_said_of_a_field_that_no_vendor_hides():
    assert where_to_find('SliceEncodingDirection', 'GE', SIDECAR) == ''


@pytest.mark.parametrize(
    ('values', 'n_places'), [({}, 1), ({'M0Type': None}, 1), ({'M0Type': 7}, 0)]
)
def test_places_are_named_for_values_that_are_missing_and_not_for_wrong_ones(values, n_places):
    sidecar = Sidecar(values, {}, SIDECAR)
    assert sidecar.text('M0Type', ['Separate'], 'Say where M0 is.') is None
    assert sidecar.problems[0].remedy.count('proton density') == n_places
