"""What is said where tests were asked for that a protocol does not allow."""

from pathlib import Path

import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.bids.plan import testing_problems as problems_of_testing
from aslprep_nn.settings import Misspecification, Settings, TrustOptions

SINGLE = Acquisition(LabelingType.PCASL, (1.8,) * 30, (1.8,) * 30, 0.85)
SEVERAL = Acquisition(LabelingType.PCASL, (0.5, 1.0, 1.5) * 4, (1.8,) * 12, 0.85)


def settings(choice: Misspecification) -> Settings:
    return Settings(Path(), Path(), Path(), trust=TrustOptions(misspecification=choice))


def test_tests_that_were_asked_for_and_cannot_be_made_are_a_problem():
    (problem,) = problems_of_testing('sub-01_asl.nii.gz', SINGLE, settings(Misspecification.ON))
    assert problem.file == 'sub-01_asl.nii.gz'
    assert problem.found == '1 distinct, each given 30 time(s) or more'
    assert '--misspecification auto' in problem.remedy


@pytest.mark.parametrize('choice', [Misspecification.AUTO, Misspecification.OFF])
def test_tests_that_were_not_insisted_on_are_none(choice):
    assert problems_of_testing('sub-01_asl.nii.gz', SINGLE, settings(choice)) == []


def test_a_protocol_that_allows_tests_has_no_problem():
    assert problems_of_testing('sub-01_asl.nii.gz', SEVERAL, settings(Misspecification.ON)) == []
