"""Figure 2 of the paper: what each subspace loses of signals and of bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from aslprep_nn.estimation.benchmark.evidence import Finding, Rule
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.subspace.basis import Dictionary, Subspace, Weighting
from aslprep_nn.estimation.subspace.bounds import Losses, bounds
from aslprep_nn.estimation.subspace.fingerprints import Fingerprints
from aslprep_nn.estimation.subspace.reproduction import reference
from aslprep_nn.estimation.subspace.reproduction.cases import CASES, MRF_CASE, Case

#: The paper's ten weights, and those that tables show.
CRB_WEIGHTS = tuple(i / 10 for i in range(10))
TABLED_WEIGHTS = (0.0, 0.3, 0.5, 0.9)
#: Rounding of a ratio of two bounds that are computed from the same vectors.
ROUNDING = 1e-12
#: Condition of scaled derivatives up to which inverting an information keeps enough digits.
INVERTIBLE = 1e4


@dataclass(frozen=True)
class CaseLosses:
    """The losses of one case in tissues that its subspaces were not made from.

    Parameters
    ----------
    case
        Which.
    losses
        By number of components and weight of the bounds.
    bases
        The largest subspace of interest by weight.
    printed
        The same losses with the weights of equation 12 as printed, by number of components
        and weight.
    """

    case: Case
    losses: dict[tuple[int, float], Losses]
    bases: dict[float, Subspace]
    printed: dict[tuple[int, float], Losses]


def measure_case(case: Case, n_fingerprints: int, seed: int) -> CaseLosses:
    """Make subspaces from some tissues and measure them on as many others."""
    dictionary = Dictionary.of(case.make(n_fingerprints, seed))
    largest = max(case.n_components)
    held_out = list(case.make(n_fingerprints, seed + 1))
    bases = {weight: dictionary.subspace(weight).truncated(largest) for weight in CRB_WEIGHTS}
    losses = {
        (n, weight): Losses.of(held_out, basis.truncated(n))
        for n in case.n_components
        for weight, basis in bases.items()
    }
    fewest = case.n_components[0]
    printed = {
        (fewest, weight): Losses.of(
            held_out, dictionary.subspace(weight, weighting=Weighting.PRINTED).truncated(fewest)
        )
        for weight in TABLED_WEIGHTS
    }
    return CaseLosses(case, losses, bases, printed)


def compression_table(found: Sequence[CaseLosses]) -> Table:
    """List losses by case, number of components and weight."""
    rows: list[Row] = []
    for one in found:
        for n in one.case.n_components:
            rows += [_row(one.case, n, weight, one.losses[n, weight]) for weight in TABLED_WEIGHTS]
    question = (
        'What does a subspace lose? 1 - B_u/B_ac, 1 - B_u/B_ec, the mean of B_ac/B_ec and of the '
        'energy of signals, in tissues it was not made from; weights of equation 5.'
    )
    return Table('compression', question, tuple(rows))


def weighting_table(found: Sequence[CaseLosses]) -> Table:
    """Compare the two weightings at the smallest subspaces."""
    rows: list[Row] = []
    for one in found:
        for (n, weight), printed in one.printed.items():
            ours = one.losses[n, weight]
            rows.append(
                {
                    'case': one.case.name,
                    'components': n,
                    'lambda': weight,
                    'exact loss, equation 5': f'{ours.mean_exact:.3f}',
                    'equation 12': f'{printed.mean_exact:.3f}',
                    'energy loss, equation 5': f'{ours.energy:.1e}',
                    'equation 12 as printed': f'{printed.energy:.1e}',
                }
            )
    question = (
        'What changes if equation 12 is taken literally? Lambda then acts like one further from .5.'
    )
    return Table('weighting', question, tuple(rows))


def compression_findings(found: Sequence[CaseLosses]) -> Iterator[Finding]:
    """Compare losses with those of the reference."""
    by_name = {one.case.name: one.losses for one in found}
    for (name, n, weight), expected in reference.LOSSES.items():
        ours = by_name[name][n, weight]
        measured = ours.mean_approximate, ours.mean_exact, ours.ratio, ours.energy
        labels = 'approximate loss', 'exact loss', 'R', 'energy loss'
        for label, value, wanted in zip(labels, measured, expected, strict=True):
            if wanted is not None:
                yield Finding(
                    'Figure 2',
                    f'{name}, {n} components, lambda {weight:g}: {label}',
                    value,
                    float('nan'),
                    wanted,
                    reference.TOLERANCE * wanted,
                )
    for weight, wanted in reference.MRF_EXACT.items():
        yield Finding(
            'Figure 2',
            f'MRF-FISP, 3 components, lambda {weight:g}: exact loss',
            by_name[MRF_CASE.name][3, weight].mean_exact,
            float('nan'),
            wanted,
            reference.MRF_TOLERANCE,
            note='the reference does not record its flip angles',
        )


def order_findings(n_samples: int, n_fingerprints: int, seed: int) -> Iterator[Finding]:
    """Check B_u <= B_ac <= B_ec in at least as many samples, and B_ec against its definition.

    A sample is one parameter of one tissue in one subspace, made from the tissues or at random.
    """
    wrong = checked = 0
    apart = 0.0
    subspaces_of_case = 8
    for place, case in enumerate(CASES):
        n = n_fingerprints
        if case is not MRF_CASE:
            n = -(-n_samples // (2 * subspaces_of_case * (len(CASES) - 1)))
        dictionary = Dictionary.of(case.make(n, seed))
        for chunk in case.make(n, seed + 1):
            for subspace in _some_subspaces(dictionary, case, seed + place):
                found = bounds(chunk, subspace)
                smaller = torch.stack([found.uncompressed, found.approximate])
                larger = torch.stack([found.approximate, found.exact])
                wrong += int((smaller > larger * (1 + ROUNDING)).sum())
                checked += found.exact.numel()
                apart = max(apart, _disagreement(chunk, subspace, found.exact))
    note = f'{checked} samples'
    yield Finding('order', 'B_u <= B_ac <= B_ec: exceptions', wrong, 0.0, 0, 0.0, note=note)
    yield Finding('order', 'samples checked', checked, 0.0, n_samples, rule=Rule.AT_LEAST)
    yield Finding(
        'order',
        'B_ec against the inverse information of coefficients: largest relative difference',
        apart,
        0.0,
        1e-6,
        rule=Rule.AT_MOST,
    )


def _some_subspaces(dictionary: Dictionary, case: Case, seed: int) -> Iterator[Subspace]:
    sizes = case.n_components[0], case.n_components[-1]
    for weight in (0.0, 0.5, 0.9):
        whole = dictionary.subspace(weight)
        yield from (whole.truncated(n) for n in sizes)
    draw = torch.Generator().manual_seed(seed)
    for n in sizes:
        matrix = torch.randn(case.n_times, n, generator=draw, dtype=torch.float64)
        yield Subspace(torch.linalg.qr(matrix).Q, torch.ones(n), dictionary.parameters)


def _disagreement(chunk: Fingerprints, subspace: Subspace, exact: torch.Tensor) -> float:
    """Compare with inverted information where that can be inverted."""
    jacobian = subspace.compress(chunk.jacobian.mT).mT
    length = jacobian.norm(dim=-2, keepdim=True)
    scaled = jacobian / length
    good = torch.linalg.cond(scaled) < INVERTIBLE
    if not bool(good.any()):
        return 0.0
    inverse = torch.linalg.inv(scaled[good].mT @ scaled[good])
    direct = (inverse.diagonal(dim1=-2, dim2=-1) / length[good].squeeze(-2).square())[:, :2]
    return float((direct / exact[good] - 1).abs().amax())


def _row(case: Case, n: int, weight: float, losses: Losses) -> Row:
    return {
        'case': case.name,
        'components': n,
        'lambda': weight,
        'approximate': f'{losses.mean_approximate:.3f}',
        'exact': f'{losses.mean_exact:.3f}',
        **{
            f'exact, {place}': f'{name} {value:.3f}'
            for place, (name, value) in zip(('first', 'second'), losses.exact.items(), strict=True)
        },
        'R': f'{losses.ratio:.2f}',
        'energy': f'{losses.energy:.1e}',
    }
