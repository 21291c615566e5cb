"""Whatever the texts of a dataset say, the reader ends with a plan or with our own words."""

import hypothesis
import pytest
from malformed.fuzz import Case, Reader, cases, remembered_images


@pytest.fixture(scope='module')
def texts(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    with remembered_images():
        yield Reader(tmp_path_factory.mktemp('fuzz'))


@hypothesis.settings(
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(case=cases())
def test_any_text_becomes_a_plan_or_is_refused_by_name(texts: Reader, case: Case):
    assert texts.read(case)
