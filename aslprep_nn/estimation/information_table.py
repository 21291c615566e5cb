"""The smoothed information of a protocol, tabulated: standard deviations at little cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from aslprep_nn.estimation.information import (
    PRIOR_RANGE,
    Covariance,
    Information,
    fisher_information,
)
from aslprep_nn.signal.model import SignalModel

#: Points in ATT; between them information is interpolated.
N_ATT = 193
#: Widths of the smoothing [s], evenly spaced in their logarithm.
NARROWEST, WIDEST, N_WIDTHS = 0.005, 2.0, 13
#: The two values of CBF, relative to the expected one, between which the decay is interpolated.
CBF_LEVELS = (0.5, 1.5)


@dataclass(frozen=True)
class InformationTable:
    """Fisher information about (log CBF, ATT) averaged over normal distributions of ATT.

    Parameters
    ----------
    values
        Information about (log CBF, log CBF), (log CBF, ATT) and (ATT, ATT) per squared CBF, at
        two values of CBF: ``(6, width * att)``.
    first_att, att_step
        The grid of ATT [s].
    expected_cbf
        What `CBF_LEVELS` are relative to [mL/100 g/min].
    """

    values: Tensor
    first_att: float
    att_step: float
    expected_cbf: float

    @classmethod
    def of(
        cls,
        model: SignalModel,
        weight: Tensor,
        *,
        expected_cbf: float,
        att_range: tuple[float, float],
        dtype: torch.dtype,
    ) -> InformationTable:
        """Tabulate a model given in float64; parameters are those of `Fan.of`."""
        att = torch.linspace(*att_range, N_ATT, dtype=torch.float64)
        weight = weight.to(att).unsqueeze(-1)
        plain = []
        for level in CBF_LEVELS:
            cbf = torch.full_like(att, level * expected_cbf)
            information = fisher_information(model, cbf, att, weight)
            plain += [information.cbf, information.both / cbf, information.att / cbf.square()]
        smoothed = _smoothings(att_range) @ torch.stack(plain, -1)
        return cls(
            values=smoothed.flatten(0, 1).mT.contiguous().to(dtype),
            first_att=att_range[0],
            att_step=(att_range[1] - att_range[0]) / (N_ATT - 1),
            expected_cbf=expected_cbf,
        )

    def to(self, device: torch.device | str) -> InformationTable:
        """Move the table."""
        return replace(self, values=self.values.to(device))

    def information(self, cbf: Tensor, att: Tensor, width: Tensor | None = None) -> Information:
        """Look up the information averaged over ATT of a standard deviation ``width`` [s].

        The narrowest tabulated one is taken when it is absent.
        """
        column, along = _cell((att - self.first_att) / self.att_step, N_ATT)
        if width is None:
            values = self._row(column, along)
        else:
            step = math.log(WIDEST / NARROWEST) / (N_WIDTHS - 1)
            row, across = _cell((width / NARROWEST).log() / step, N_WIDTHS)
            corner = row * N_ATT + column
            values = torch.lerp(self._row(corner, along), self._row(corner + N_ATT, along), across)
        few, many = CBF_LEVELS
        low, high = values.chunk(2)
        per_cbf = torch.lerp(low, high, (cbf / self.expected_cbf - few) / (many - few))
        return Information(per_cbf[0], per_cbf[1] * cbf, per_cbf[2] * cbf.square())

    def _row(self, corner: Tensor, along: Tensor) -> Tensor:
        return torch.lerp(self.values[:, corner], self.values[:, corner + 1], along)

    def covariance(
        self,
        cbf: Tensor,
        att: Tensor,
        noise: Tensor,
        prior_range: tuple[float, float] = PRIOR_RANGE,
    ) -> Covariance:
        """Look up what `smoothed_covariance` computes."""
        width = self.information(cbf, att).covariance(noise, prior_range).att.sqrt()
        return self.information(cbf, att, width).covariance(noise, prior_range)


@lru_cache(maxsize=4)
def _smoothings(att_range: tuple[float, float]) -> Tensor:
    """Weigh the cells of the grid by normal distributions about each of its points.

    Returns
    -------
    ``(width, att, cell)``.
    """
    att = torch.linspace(*att_range, N_ATT, dtype=torch.float64)
    ends = math.log(NARROWEST), math.log(WIDEST)
    widths = torch.linspace(*ends, N_WIDTHS, dtype=torch.float64).exp()
    borders = (att[1:] + att[:-1]) / 2
    below = torch.special.ndtr((borders - att.unsqueeze(-1)) / widths[:, None, None])
    everything = torch.ones(N_WIDTHS, N_ATT, 1, dtype=torch.float64)
    return torch.diff(torch.cat([0 * everything, below, everything], -1), dim=-1)


def _cell(position: Tensor, n_points: int) -> tuple[Tensor, Tensor]:
    """Split a position on a grid into a cell and where in it the position lies, 0 to 1."""
    position = position.nan_to_num(0).clamp(min=0, max=n_points - 1)
    cell = position.floor().clamp(max=n_points - 2)
    return cell.long(), position - cell
