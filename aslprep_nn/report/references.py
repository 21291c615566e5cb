"""The works a methods text may cite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """One entry of the list of references.

    Parameters
    ----------
    cited_as
        How the text names it.
    text
        The entry.
    doi
        '' where there is none.
    """

    cited_as: str
    text: str
    doi: str = ''

    def __str__(self) -> str:
        return f'{self.text} doi:{self.doi}' if self.doi else self.text


ALSOP = Reference(
    'Alsop et al., 2015',
    'Alsop DC, Detre JA, Golay X, et al. (2015). Recommended implementation of arterial '
    'spin-labeled perfusion MRI for clinical applications. Magn Reson Med 73(1):102-116.',
    '10.1002/mrm.25197',
)
BUXTON = Reference(
    'Buxton et al., 1998',
    'Buxton RB, Frank LR, Wong EC, et al. (1998). A general kinetic model for quantitative '
    'perfusion imaging with arterial spin labeling. Magn Reson Med 40(3):383-396.',
    '10.1002/mrm.1910400308',
)
AVANTS = Reference(
    'Avants et al., 2011',
    'Avants BB, Tustison NJ, Song G, et al. (2011). A reproducible evaluation of ANTs '
    'similarity metric performance in brain image registration. NeuroImage 54(3):2033-2044.',
    '10.1016/j.neuroimage.2010.09.025',
)
POWER = Reference(
    'Power et al., 2012',
    'Power JD, Barnes KA, Snyder AZ, Schlaggar BL, Petersen SE (2012). Spurious but systematic '
    'correlations in functional connectivity MRI networks arise from subject motion. NeuroImage '
    '59(3):2142-2154.',
    '10.1016/j.neuroimage.2011.10.018',
)
CLEMENT = Reference(
    'Clement et al., 2022',
    'Clement P, Castellaro M, Okell TW, et al. (2022). ASL-BIDS, the brain imaging data '
    'structure extension for arterial spin labeling. Sci Data 9:543.',
    '10.1038/s41597-022-01615-9',
)
GORGOLEWSKI = Reference(
    'Gorgolewski et al., 2011',
    'Gorgolewski K, Burns CD, Madison C, et al. (2011). Nipype: a flexible, lightweight and '
    'extensible neuroimaging data processing framework in Python. Front Neuroinform 5:13.',
    '10.3389/fninf.2011.00013',
)
ABRAHAM = Reference(
    'Abraham et al., 2014',
    'Abraham A, Pedregosa F, Eickenberg M, et al. (2014). Machine learning for neuroimaging '
    'with scikit-learn. Front Neuroinform 8:14.',
    '10.3389/fninf.2014.00014',
)
BRETT = Reference(
    'Brett et al.',
    'Brett M, Markiewicz CJ, Hanke M, et al. nibabel: access a cacophony of neuro-imaging '
    'file formats. Zenodo.',
    '10.5281/zenodo.591597',
)
PASZKE = Reference(
    'Paszke et al., 2019',
    'Paszke A, Gross S, Massa F, et al. (2019). PyTorch: an imperative style, high-performance '
    'deep learning library. Adv Neural Inf Process Syst 32:8024-8035.',
)

FONOV = Reference(
    'Fonov et al., 2011',
    'Fonov V, Evans AC, Botteron K, Almli CR, McKinstry RC, Collins DL (2011). Unbiased average '
    'age-appropriate atlases for pediatric studies. NeuroImage 54(1):313-327.',
    '10.1016/j.neuroimage.2010.07.033',
)
OTSU = Reference(
    'Otsu, 1979',
    'Otsu N (1979). A threshold selection method from gray-level histograms. IEEE Trans Syst Man '
    'Cybern 9(1):62-66.',
    '10.1109/TSMC.1979.4310076',
)
WONG = Reference(
    'Wong et al., 1998',
    'Wong EC, Buxton RB, Frank LR (1998). Quantitative imaging of perfusion using a single '
    'subtraction (QUIPSS and QUIPSS II). Magn Reson Med 39(5):702-708.',
    '10.1002/mrm.1910390506',
)
QIN = Reference(
    'Qin et al., 2022',
    'Qin Q, Alsop DC, Bolar DS, et al. (2022). Velocity-selective arterial spin labeling '
    'perfusion MRI: a review of the state of the art and recommendations for clinical '
    'implementation. Magn Reson Med 88(4):1528-1547.',
    '10.1002/mrm.29371',
)
WANG = Reference(
    'Wang et al.',
    'Wang J, Tamir JI, Bush A. Analyzing model misspecification in quantitative MRI: application '
    'to perfusion ASL.',
)
WHITE = Reference(
    'White, 1982',
    'White H (1982). Maximum likelihood estimation of misspecified models. Econometrica '
    '50(1):1-25.',
    '10.2307/1912526',
)
MAUCHLY = Reference(
    'Mauchly, 1940',
    'Mauchly JW (1940). Significance test for sphericity of a normal n-variate distribution. Ann '
    'Math Stat 11(2):204-209.',
    '10.1214/aoms/1177731915',
)
HAUSMAN = Reference(
    'Hausman, 1978',
    'Hausman JA (1978). Specification tests in econometrics. Econometrica 46(6):1251-1271.',
    '10.2307/1913827',
)
CHOW = Reference(
    'Chow, 1960',
    'Chow GC (1960). Tests of equality between sets of coefficients in two linear regressions. '
    'Econometrica 28(3):591-605.',
    '10.2307/1910133',
)
BENJAMINI = Reference(
    'Benjamini and Hochberg, 1995',
    'Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a practical and '
    'powerful approach to multiple testing. J R Stat Soc B 57(1):289-300.',
    '10.1111/j.2517-6161.1995.tb02031.x',
)
LIU = Reference(
    'Liu and Xie, 2020',
    'Liu Y, Xie J (2020). Cauchy combination test: a powerful test with analytic p-value '
    'calculation under arbitrary dependency structures. J Am Stat Assoc 115(529):393-402.',
    '10.1080/01621459.2018.1554485',
)
WU = Reference(
    'Wu, 1986',
    'Wu CFJ (1986). Jackknife, bootstrap and other resampling methods in regression analysis. Ann '
    'Stat 14(4):1261-1295.',
    '10.1214/aos/1176350142',
)
WORKS = (
    ABRAHAM, ALSOP, AVANTS, BENJAMINI, BRETT, BUXTON, CHOW, CLEMENT, FONOV, GORGOLEWSKI, HAUSMAN,
    LIU, MAUCHLY, OTSU, PASZKE, POWER, QIN, WANG, WHITE, WONG, WU,
)  # fmt: skip
