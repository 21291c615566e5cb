"""What an independent float64 implementation of the same experiments found.

It was written before this package and shares no code with it. Where it did not record a
parameter (how far the moved repetition moved, how outflow leaves, when arterial blood arrives),
its numbers cannot be compared to the digit, and `COMPARABLE` leaves those scenarios out.
"""

from __future__ import annotations

import math

from aslprep_nn.misspecification.reproduction.scenarios import Scenario

#: Median kappa of a correct model by number of repetitions: simulated.
MEDIAN_KAPPA = {
    2: math.inf,
    4: 5.70,
    8: 2.65,
    10: 2.33,
    16: 1.89,
    32: 1.55,
    50: 1.41,
}
#: Median eigenvalues of P with M, not M - 1, in the denominator, by number of repetitions.
MEDIAN_EIGENVALUES = {10: (1.20, 0.50), 50: (1.14, 0.80)}
#: Median kappa of repetitions resampled with replacement, from ten draws that all voxels share,
#: and the standard deviation of such a number over other draws, which was measured here.
RESAMPLED_KAPPA = {8: 4.61, 10: 3.14}
RESAMPLED_SCATTER = {8: 0.40, 10: 0.19}
#: Variance of estimates over the Cramér-Rao bound.
VARIANCE_RATIO = 1.0
#: Share of voxels with p < .05 in brain and kidney: kappa, lack of fit, the named direction.
REJECTED: dict[Scenario, dict[str, tuple[float, float]]] = {
    Scenario.CORRECT: {'kappa': (0.053, 0.053), 'lack of fit': (0.047, 0.051)},
    Scenario.T1: {'kappa': (0.048, 0.050), 'lack of fit': (0.32, 0.55), 'decay': (0.52, 0.71)},
    Scenario.OUTFLOW: {
        'kappa': (0.062, 0.090),
        'lack of fit': (0.79, 0.92),
        'decay': (0.86, 0.95),
    },
    Scenario.DURATION: {
        'kappa': (0.051, 0.047),
        'lack of fit': (0.29, 0.50),
        'duration': (0.42, 0.62),
    },
    Scenario.MOVED: {
        'kappa': (0.62, 0.61),
        'lack of fit': (0.015, 0.014),
        'decay': (0.031, 0.028),
    },
    Scenario.FLOW: {
        'kappa': (0.65, 0.80),
        'lack of fit': (0.012, 0.004),
        'decay': (0.049, 0.050),
    },
    Scenario.ARTERIAL: {'kappa': (0.15, 0.05), 'lack of fit': (0.87, 0.69)},
    Scenario.LATE: {'kappa': (0.055, 0.050), 'lack of fit': (0.05, 0.11)},
}
#: The scenarios whose parameters the reference records.
COMPARABLE = frozenset(Scenario) - {Scenario.MOVED, Scenario.OUTFLOW, Scenario.ARTERIAL}
#: Of a rate of false alarms, and of a power: the reference gives two digits and draws its voxels
#: from ranges whose ends it does not record.
LEVEL_TOLERANCE, POWER_TOLERANCE = 0.01, 0.03
#: Mean relative difference of early and late estimates of a correct model, least and most.
SUBSET_ERROR = (0.03, 0.05)
#: False alarms of the comparison of early and late delays, least and most.
HAUSMAN_LEVEL = (0.054, 0.062)
#: Its power for a wrong labelling duration in brain and kidney.
HAUSMAN_POWER = (0.58, 0.77)
#: Bias at 50 repetitions of Rician noise on delta M itself [mL/100 g/min, s].
RICIAN_BIAS = (2.5, 0.039)
#: Largest eigenvalue of the per-sample reading at 50 repetitions.
PER_SAMPLE_EIGENVALUE = {Scenario.CORRECT: 1.04, Scenario.T1: 1.07, Scenario.OUTFLOW: 1.26}
#: CBF that the paper's equation 4 finds in a PCASL signal of CBF 60, by ATT [s].
CBF_BY_EQUATION_4 = {0.5: 68.0, 1.0: 50.0, 1.5: 36.0, 2.0: 27.0}
