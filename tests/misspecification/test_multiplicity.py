import pytest
import torch

from aslprep_nn.misspecification.directions import Assumption
from aslprep_nn.misspecification.multiplicity import VoxelClass, classify, discoveries

ASSUMPTIONS = list(Assumption)


def uniform(n_voxels: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n_voxels, generator=generator, dtype=torch.float64)


def test_the_published_example_rejects_what_was_published():
    """The fifteen p-values of Benjamini & Hochberg (1995), section 4.2: four at q = .05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459]
    p = torch.tensor([*p, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1.0], dtype=torch.float64)
    assert int(discoveries(p.flip(0), 0.05).sum()) == 4


def test_voxels_that_were_not_tested_neither_count_nor_are_rejected():
    p = torch.tensor([0.02, 0.04], dtype=torch.float64)
    padded = torch.cat([p, torch.full((1000,), torch.nan, dtype=torch.float64)])
    assert discoveries(padded, 0.05).tolist() == [True, True] + [False] * 1000


def test_nothing_is_rejected_where_nothing_was_tested():
    assert not discoveries(torch.full((3,), torch.nan), 0.05).any()


def test_the_share_of_wrong_rejections_stays_below_the_rate_in_smooth_noise():
    """Positively correlated voxels, as in images: 400 images of 500, 100 of them shifted."""
    generator = torch.Generator().manual_seed(2)
    z = torch.randn(400, 500, generator=generator, dtype=torch.float64)
    z = torch.nn.functional.avg_pool1d(z.unsqueeze(1), 9, 1, 4, count_include_pad=False)
    z = z.squeeze(1) * 3
    wrong = torch.arange(500) >= 100
    z[:, ~wrong] += 3
    shares = []
    for image in z:
        found = discoveries(torch.special.ndtr(-image), 0.05)
        shares.append(float((found & wrong).sum() / found.sum().clamp(min=1)))
    assert sum(shares) / len(shares) < 0.05


def classified(p_noise: float, p_model: float, **assumptions: float) -> VoxelClass:
    p = [assumptions.get(a.name.lower(), 0.9) for a in ASSUMPTIONS]
    one = torch.ones(1, dtype=torch.float64)
    p_assumptions = torch.tensor(p, dtype=torch.float64).unsqueeze(-1)
    return VoxelClass(int(classify(p_noise * one, p_model * one, p_assumptions)[0]))


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('tissue_decay', VoxelClass.TISSUE_DECAY),
        ('labeling_duration', VoxelClass.LABELING_DURATION),
        ('no_arterial_blood', VoxelClass.ARTERIAL_BLOOD),
        ('sharp_arrival', VoxelClass.MODEL),
    ],
)
def test_a_rejected_model_is_named_after_the_assumption_that_contradicts_most(name, expected):
    assert classified(0.5, 0.001, **{name: 1e-4}) is expected


def test_a_model_that_fails_for_no_known_reason_says_so():
    assert classified(0.5, 1e-4) is VoxelClass.MODEL


def test_unequal_noise_is_noise():
    assert classified(1e-4, 0.5) is VoxelClass.NOISE


def test_a_wrong_model_outranks_unequal_noise():
    assert classified(1e-4, 1e-4, tissue_decay=1e-5) is VoxelClass.TISSUE_DECAY


def test_correct_voxels_are_consistent_but_for_chance():
    assumptions = torch.stack([uniform(5000, seed) for seed in range(4)])
    classes = classify(uniform(5000, 8), uniform(5000, 9), assumptions)
    assert int((classes != VoxelClass.CONSISTENT).sum()) <= 2


def test_a_correct_map_has_a_false_claim_at_the_rate_though_it_answers_two_questions():
    """Every claim of a correct map is false: 2,000 maps, standard error .005."""
    rate, wrong = 0.05, 0
    nothing = torch.full((len(ASSUMPTIONS), 40), torch.nan, dtype=torch.float64)
    for number in range(2000):
        classes = classify(uniform(40, 2 * number), uniform(40, 2 * number + 1), nothing, rate=rate)
        wrong += bool((classes != VoxelClass.CONSISTENT).any())
    assert wrong / 2000 == pytest.approx(rate, abs=0.015)


def test_voxels_without_a_test_of_noise_are_classified_by_the_model_alone():
    p = torch.tensor([1e-4, 0.5, 0.9], dtype=torch.float64)
    nothing = torch.full_like(p, torch.nan)
    classes = classify(nothing, p, nothing.expand(len(ASSUMPTIONS), -1))
    assert classes.tolist() == [VoxelClass.MODEL, VoxelClass.CONSISTENT, VoxelClass.CONSISTENT]
