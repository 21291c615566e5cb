"""The Nipype faces of the steps."""

from aslprep_nn.pipeline import (
    anatomy,
    calibrate,
    gather,
    neighbours,
    outputs,
    screen,
    steps,
    trust,
)
from aslprep_nn.pipeline.step import step

RegridM0scan = step(calibrate.regrid_m0scan)
ChooseReference = step(steps.choose_reference)
EstimateMotion = step(steps.estimate_motion)
ResampleSeries = step(steps.resample_series)
SettleReference = step(steps.settle_reference)
MaskBrain = step(steps.mask_brain)
CompareMask = step(anatomy.compare_mask)
SubtractPairs = step(steps.subtract_pairs)
ScreenPairs = step(screen.screen_pairs)
CalibrateM0 = step(calibrate.calibrate_m0)
FitVoxels = step(steps.fit_voxels)
AssessTrust = step(trust.assess_trust)
EstimateHybrid = step(neighbours.estimate_hybrid)
EstimateNetwork = step(neighbours.estimate_network)
GatherEstimates = step(gather.gather_estimates)
WriteDerivatives = step(outputs.write_derivatives)
ReportRun = step(outputs.report_run)
