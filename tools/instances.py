"""Writes src/wattribute/models/training/instances.json from the clouds' tables of instance types.

``python -m tools.instances FOLDER``: a folder of ``{aws,azure,gcp}-instances*.csv``, as the Cloud
Carbon Coefficients project publishes them. Afterwards train the model again.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec

from wattribute.models.training.instance_table import FILE, collect_instances

_TARGET: Final = Path(__file__).resolve().parents[1] / "src/wattribute/models/training" / FILE
_SOURCE: Final = (
    "Cloud Carbon Coefficients: instance types of AWS, Azure and Google Cloud, 2026-04, Apache-2.0"
)


def main(folder: Path) -> None:
    """Write the file."""
    table = collect_instances(list(folder.glob("*.csv")), _SOURCE)
    _TARGET.write_bytes(msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n")
    print(f"{_TARGET}: {len(table.hosts)} families")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
