"""Figure 2: what subspaces lose, beside what an independent implementation found."""

import pytest

from aslprep_nn.estimation.benchmark.evidence import Verdict
from aslprep_nn.estimation.subspace.basis import Dictionary
from aslprep_nn.estimation.subspace.bounds import Losses
from aslprep_nn.estimation.subspace.reproduction import compression, reference
from aslprep_nn.estimation.subspace.reproduction.cases import CASES, MRF_CASE
from aslprep_nn.estimation.subspace.reproduction.compression import (
    CaseLosses,
    compression_findings,
    measure_case,
)

BY_NAME = {case.name: case for case in CASES}


@pytest.fixture(scope='module')
def perfused():
    """Make subspaces from 4000 tissues, and draw as many others."""
    names = {name for name, _, _ in reference.LOSSES}
    return {
        name: (Dictionary.of(BY_NAME[name].make(4000, 0)), list(BY_NAME[name].make(4000, 1)))
        for name in names
    }


@pytest.mark.parametrize('key', list(reference.LOSSES))
def test_losses_of_perfusion_are_within_five_percent_of_the_reference(key, perfused):
    name, n_components, weight = key
    dictionary, held_out = perfused[name]
    found = Losses.of(held_out, dictionary.subspace(weight).truncated(n_components))
    expected = reference.LOSSES[key]
    assert found.mean_approximate == pytest.approx(expected.approximate, rel=0.05)
    assert found.mean_exact == pytest.approx(expected.exact, rel=0.05)
    assert found.ratio == pytest.approx(expected.ratio, rel=0.05)
    if expected.energy is not None:
        assert found.energy == pytest.approx(expected.energy, rel=0.05)


def test_weight_on_the_bounds_lowers_the_loss_of_fingerprinting_as_in_the_reference():
    dictionary = Dictionary.of(MRF_CASE.make(300, 0))
    held_out = list(MRF_CASE.make(300, 1))
    lost = {
        weight: Losses.of(held_out, dictionary.subspace(weight).truncated(3)).mean_exact
        for weight in reference.MRF_EXACT
    }
    assert lost == pytest.approx(reference.MRF_EXACT, abs=reference.MRF_TOLERANCE)
    assert lost[0.5] < 0.75 * lost[0.0]


def test_findings_compare_every_number_the_reference_has(monkeypatch):
    monkeypatch.setattr(compression, 'CRB_WEIGHTS', (0.0, 0.3, 0.5, 0.9))
    found = [
        measure_case(BY_NAME[name], 50, 0) for name in sorted({k[0] for k in reference.LOSSES})
    ]
    fingerprinting = CaseLosses(
        MRF_CASE,
        {(3, weight): found[0].losses[3, weight] for weight in (0.0, 0.5)},
        {},
        {},
    )
    findings = list(compression_findings([*found, fingerprinting]))
    assert len(findings) == 6 * 4 + 2 * 3 + 2
    assert all(one.verdict is not Verdict.INCOMPARABLE for one in findings)
