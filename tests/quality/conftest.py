"""Healthy runs."""

import pytest
from heads import ONE, SEVERAL, healthy

from aslprep_nn.quality.measured_run import MeasuredRun


@pytest.fixture(params=[SEVERAL, ONE], ids=['several delays', 'one delay'])
def run(request: pytest.FixtureRequest) -> MeasuredRun:
    return healthy(request.param)


@pytest.fixture
def several() -> MeasuredRun:
    return healthy(SEVERAL)
