"""Bases of few vectors."""

import pytest
import torch
from scipy.linalg import subspace_angles

from aslprep_nn.errors import UsageError
from aslprep_nn.estimation.subspace.basis import Dictionary, Subspace, Weighting, in_chunks


def whole_matrix(some, crb_weight, weighting=Weighting.COST):
    """Build the matrix that Mao et al. decompose (equation 12), with one of its weightings."""
    own = some.orthogonalized()
    unit = (own / own.norm(dim=-2, keepdim=True)).transpose(0, 1).flatten(1)
    signals = some.signal.mT / some.signal.abs().square().sum(-1).mean().sqrt()
    first, second = weighting.of(crb_weight)
    return torch.cat([first * signals, second * unit], 1)


def cost(some, crb_weight, vectors):
    """Compute equation 5 with signals of mean energy 1."""
    signals, unit = whole_matrix(some, 0, Weighting.PRINTED), whole_matrix(some, 1)
    n = some.n_fingerprints
    lost = [
        float((part - vectors @ (vectors.mH @ part)).abs().square().sum())
        for part in (signals[:, :n], unit[:, n:])
    ]
    return (1 - crb_weight) * lost[0] + crb_weight * lost[1]


@pytest.mark.parametrize('weighting', list(Weighting))
@pytest.mark.parametrize('crb_weight', [0.0, 0.5])
def test_streaming_spans_what_the_full_decomposition_spans(fingerprints, crb_weight, weighting):
    some = fingerprints(300)
    streamed = Dictionary.of(in_chunks(some, 7)).subspace(crb_weight, weighting=weighting)
    matrix = whole_matrix(some, crb_weight, weighting)
    vectors, values, _ = torch.linalg.svd(matrix, full_matrices=False)
    torch.testing.assert_close(streamed.singular_values, values, rtol=1e-9, atol=1e-12)
    for n in range(len(some.parameters), 9):
        ours, theirs = streamed.truncated(n).vectors, vectors[:, :n]
        assert subspace_angles(ours.numpy(), theirs.numpy()).max() < 1e-6


def test_memory_does_not_grow_with_the_number_of_fingerprints(perfused):
    few, many = (Dictionary.of(perfused(50, seed=s) for s in range(n)) for n in (1, 40))
    assert many.signals.shape == few.signals.shape == (21, 21)
    assert many.derivatives.shape == few.derivatives.shape == (21, 21)
    assert many.n_fingerprints == 2000


def test_square_roots_of_the_weights_minimise_the_cost_and_the_printed_ones_do_not(perfused):
    some = perfused(400)
    dictionary = Dictionary.of([some])
    best = dictionary.subspace(0.2).truncated(3).vectors
    printed = dictionary.subspace(0.2, weighting=Weighting.PRINTED).truncated(3).vectors
    least = cost(some, 0.2, best)
    assert least < 0.998 * cost(some, 0.2, printed)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        step = torch.randn(best.shape, generator=generator, dtype=torch.float64)
        nearby = torch.linalg.qr(best + 0.01 * step).Q
        assert cost(some, 0.2, nearby) > least


def test_no_weight_gives_the_principal_components_of_the_signals(perfused):
    some = perfused(100)
    expected = torch.linalg.svd(some.signal.mT, full_matrices=False).U[:, :3]
    found = Dictionary.of([some]).subspace(0.0).truncated(3).vectors
    assert subspace_angles(found.numpy(), expected.numpy()).max() < 1e-9


def test_the_scale_of_signals_does_not_matter(perfused):
    some = perfused(100)
    scaled = type(some)(1e4 * some.signal, 1e4 * some.jacobian, some.parameters, some.interest)
    found, expected = (
        Dictionary.of([part]).subspace(0.3).vectors[:, :3] for part in (scaled, some)
    )
    assert subspace_angles(found.numpy(), expected.numpy()).max() < 1e-9


def test_vectors_are_orthonormal_and_compress(fingerprints):
    some = fingerprints(60)
    subspace = Dictionary.of([some]).subspace(0.4).truncated(5)
    vectors = subspace.vectors
    torch.testing.assert_close(vectors.mH @ vectors, torch.eye(5).to(vectors))
    expected = (vectors.mH @ some.signal.mT.to(vectors)).mT
    torch.testing.assert_close(subspace.compress(some.signal), expected)


def test_fewer_components_than_parameters_are_refused_by_name(perfused):
    subspace = Dictionary.of([perfused(30, t1_unknown=True)]).subspace(0.3)
    with pytest.raises(UsageError) as refused:
        subspace.truncated(2)
    assert str(refused.value).startswith(
        'subspace: number of components is 2; expected at least 3, one for each of cbf, att, '
        't1_tissue.'
    )
    with pytest.raises(UsageError, match='is 1; expected at least 2'):
        Subspace(torch.eye(4)[:, :1], torch.ones(1), ('t1', 't2'))


@pytest.mark.parametrize(
    ('call', 'said'),
    [
        (lambda d: d.subspace(1.1), 'weight of the bounds is 1.1; expected 0 to 1'),
        (lambda d: d.subspace(0.1).truncated(22), 'is 22; expected at most 21'),
        (lambda _: Dictionary.of([]), 'dictionary is empty'),
    ],
)
def test_what_cannot_be_is_refused(call, said, perfused):
    with pytest.raises(UsageError, match=said):
        call(Dictionary.of([perfused(30)]))
