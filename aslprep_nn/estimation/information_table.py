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
#: Less information than any measurement gives, and a correlation short of singular.
LEAST, MOST_CORRELATION = 1e-24, 0.99999
#: The two values of CBF between which, and beyond which, the decay with flow is exponential
#: [mL/100 g/min].
CBF_LEVELS = (40.0, 240.0)


@dataclass(frozen=True)
class InformationTable:
    """Fisher information about (log CBF, ATT) averaged over normal distributions of ATT.

    Parameters
    ----------
    values
        Logarithms of the information about log CBF and about ATT, per squared CBF, and their
        correlation, at each of two values of CBF: ``(6, width * att)``.
    first_att, att_step
        The grid of ATT [s].
    """

    values: Tensor
    first_att: float
    att_step: float

    @classmethod
    def of(
        cls,
        model: SignalModel,
        weight: Tensor,
        *,
        att_range: tuple[float, float],
        dtype: torch.dtype,
    ) -> InformationTable:
        """Tabulate a model given in float64; parameters are those of `Fan.of`."""
        att = torch.linspace(*att_range, N_ATT, dtype=torch.float64)
        weight = weight.to(att).unsqueeze(-1)
        levels = []
        for level in CBF_LEVELS:
            cbf = torch.full_like(att, level)
            plain = fisher_information(model, cbf, att, weight)
            per_cbf = torch.stack([plain.cbf, plain.both / cbf, plain.att / cbf.square()], -1)
            about_cbf, both, about_att = (_smoothings(att_range) @ per_cbf).unbind(-1)
            about_cbf, about_att = (part.clamp(min=LEAST) for part in (about_cbf, about_att))
            correlation = both / (about_cbf * about_att).sqrt()
            levels += [about_cbf.log(), about_att.log(), correlation]
        return cls(
            values=torch.stack(levels).flatten(1).to(dtype),
            first_att=att_range[0],
            att_step=(att_range[1] - att_range[0]) / (N_ATT - 1),
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
        log_cbf, log_att, correlation = torch.lerp(low, high, (cbf - few) / (many - few))
        about_cbf, about_att = log_cbf.exp(), log_att.exp() * cbf.square()
        correlation = correlation.clamp(min=-MOST_CORRELATION, max=MOST_CORRELATION)
        return Information(about_cbf, correlation * (about_cbf * about_att).sqrt(), about_att)

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
