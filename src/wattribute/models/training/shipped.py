"""A fitted wall model as the artefact's tables."""

from wattribute.node.estimator.artefact import Makers, ScaledWeights, Smooth, Wall
from wattribute.node.estimator.wall import WallModel


def shipped_wall(wall: WallModel, typical: list[float], few: list[str] | None = None) -> Wall:
    """The tables; the band of ``typical`` is not known yet."""
    return Wall(
        levels=wall.levels.tolist(),
        mean=wall.mean.tolist(),
        linear=ScaledWeights(
            centre=wall.linear_centre.tolist(),
            scale=wall.linear_scale.tolist(),
            weights=wall.linear.tolist(),
        ),
        smooth=Smooth(
            centre=wall.smooth_centre.tolist(),
            scale=wall.smooth_scale.tolist(),
            length=wall.length,
            points=wall.points.tolist(),
            weights=wall.smooth.tolist(),
        ),
        microarchitecture={k: v.tolist() for k, v in wall.microarchitecture.items()},
        family={k: v.tolist() for k, v in wall.family.items()},
        make={k: v.tolist() for k, v in wall.make.items()},
        maker=Makers(
            years=wall.years.tolist(),
            length=wall.years_length,
            weights={k: v.tolist() for k, v in wall.maker.items()},
        ),
        cpu={k: v.tolist() for k, v in wall.cpu.items()},
        typical=typical,
        typical_spread=0.0,
        typical_scatter=0.0,
        few=few or [],
    )
