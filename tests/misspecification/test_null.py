import pytest
import torch
from scipy import stats

from aslprep_nn.misspecification.null import p_of_kappa, p_of_ratio, p_of_score, p_of_trace
from aslprep_nn.misspecification.sandwich import Spread


def spread_of(kappa: float) -> Spread:
    return Spread(torch.tensor([kappa]).double(), torch.ones(1).double())


def counts(n: int) -> torch.Tensor:
    return torch.tensor([n])


def wishart_spread(n_repetitions: int, n_voxels: int = 20000) -> Spread:
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(n_voxels, n_repetitions, 2, generator=generator, dtype=torch.float64)
    draws = draws - draws.mean(1, keepdim=True)
    values = torch.linalg.eigvalsh(draws.mT @ draws / (n_repetitions - 1))
    return Spread(values[:, 1], values[:, 0])


@pytest.mark.parametrize('n_repetitions', [3, 4, 8, 10, 50])
def test_p_of_kappa_is_uniform_under_the_wishart_null(n_repetitions):
    p = p_of_kappa(wishart_spread(n_repetitions), counts(n_repetitions))
    assert stats.kstest(p.numpy(), 'uniform').pvalue > 0.01


def test_half_of_correct_voxels_have_a_kappa_above_2_66_with_8_repetitions():
    assert float(p_of_kappa(spread_of(2.664359), counts(8))) == pytest.approx(0.5, abs=1e-5)
    assert float(p_of_kappa(spread_of(8.743297), counts(8))) == pytest.approx(0.05, abs=1e-6)


def test_kappa_of_two_repetitions_has_no_p():
    assert p_of_kappa(spread_of(1e9), counts(2)).isnan().all()


def test_p_of_the_trace_is_uniform_when_the_noise_level_is_pooled_from_the_same_data():
    n_timings, n_repetitions = 6, 4
    generator = torch.Generator().manual_seed(1)
    shape = 20000, n_repetitions, n_timings
    draws = torch.randn(shape, generator=generator, dtype=torch.float64)
    draws = (draws - draws.mean(1, keepdim=True)).square().sum(1) / (n_repetitions - 1)
    spread = Spread(draws[:, 0], draws[:, 1])
    pooled = draws.mean(1)
    scaled = Spread(spread.largest / pooled, spread.smallest / pooled)
    p = p_of_trace(scaled, counts(n_repetitions), n_timings)
    assert stats.kstest(p.numpy(), 'uniform').pvalue > 0.01


def test_two_timings_leave_no_other_direction_to_compare_the_trace_with():
    assert p_of_trace(spread_of(1.0), counts(8), 2).isnan().all()


def test_the_tails_are_those_of_f_and_t():
    f = p_of_ratio(torch.tensor([1.7]).double(), counts(19), counts(147))
    assert float(f) == pytest.approx(stats.f.sf(1.7, 19, 147))
    t = p_of_score(torch.tensor([[-2.3]]).double(), counts(8))
    assert float(t) == pytest.approx(2 * stats.t.sf(2.3, 7))


def test_three_repetitions_are_too_few_for_a_score_test():
    assert p_of_score(torch.tensor([[9.0]]).double(), counts(3)).isnan().all()
