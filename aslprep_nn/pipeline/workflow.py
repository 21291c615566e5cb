"""The pipeline's story: one ASL run from the scanner to CBF, ATT and how far to trust them."""

from __future__ import annotations

from nipype.pipeline import engine

from aslprep_nn.pipeline import interfaces as do
from aslprep_nn.pipeline.recipe import Recipe
from aslprep_nn.run import ASLRun
from aslprep_nn.settings import Settings


def init_asl_wf(run: ASLRun, settings: Settings) -> engine.Workflow:
    """Tell how one run is processed.

    Parameters
    ----------
    run
        What was read from the dataset.
    settings
        What the user chose.
    """
    asl = Recipe(run.name)
    facts = {'volume_types': run.volume_types}
    m0scan = None
    if run.m0.path is not None:
        m0scan = asl.add(do.RegridM0scan, m0scan=run.m0.path, series=run.series).m0scan
    reference = asl.add(do.ChooseReference, series=run.series, m0scan=m0scan, **facts)
    transforms, confounds = None, None
    if run.has_raw_volumes:
        motion = asl.add(
            do.EstimateMotion,
            series=run.series,
            reference=reference.image,
            seed=settings.seed,
            **facts,
        )
        transforms, confounds = motion.transforms, motion.confounds
    still = asl.add(do.ResampleSeries, series=run.series, transforms=transforms)
    brain = asl.add(
        do.MaskBrain,
        reference=reference.image,
        shows_tissue=reference.shows_tissue,
        series=still.series,
        fov_mask=still.fov_mask,
    )
    difference = asl.add(do.SubtractPairs, series=still.series, timings=run.timings, **facts)
    calibrated = asl.add(
        do.CalibrateM0,
        delta_m=difference.delta_m,
        series=still.series,
        mask=brain.mask,
        m0_plan=run.m0,
        m0scan=m0scan,
        acquisition=run.acquisition,
        m0_scale=settings.physics.m0_scale,
        **facts,
    )
    fitted = asl.add(
        do.FitVoxels,
        relative_delta_m=calibrated.relative_delta_m,
        mask=brain.mask,
        acquisition=run.acquisition,
        device=settings.device,
        n_threads=settings.n_threads,
    )
    derivatives = asl.add(
        do.WriteDerivatives,
        run=run,
        settings=settings,
        reference=reference.image,
        still=still.series,
        fov_mask=still.fov_mask,
        mask=brain.mask,
        delta_m=difference.delta_m,
        m0=calibrated.m0,
        maps=fitted.maps,
        confounds=confounds,
        transforms=transforms,
    )
    asl.add(
        do.ReportRun,
        run=run,
        settings=settings,
        written=derivatives.written,
        relative_delta_m=calibrated.relative_delta_m,
        model_cbf_per_unit=derivatives.model_cbf_per_unit,
    )
    return asl.workflow
