"""``python -m tools.build_proto [--check]``: the scaler's gRPC code, from its .proto.

Needs grpcio-tools (``make setup-dev``). With ``--check`` nothing is written: exit 1 if the shipped
code is not what comes out.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from grpc_tools import protoc

_PROTO: Final = Path("src/wattribute/automation/scaler/keda/externalscaler.proto")
_HEAD: Final = "# mypy: ignore-errors\n"


def generated(root: Path) -> dict[Path, str]:
    """Text of each generated file, by its path under the root."""
    proto = root / _PROTO
    with tempfile.TemporaryDirectory() as folder:
        status = protoc.main(
            [
                "protoc",
                f"-I{proto.parent}",
                f"--python_out={folder}",
                f"--pyi_out={folder}",
                f"--grpc_python_out={folder}",
                proto.name,
            ]
        )
        if status:
            raise SystemExit(f"protoc: exit status {status}")
        files = sorted(Path(folder).glob("*.py*"))
        return {_PROTO.parent / file.name: _HEAD + _fixed(file.read_text()) for file in files}


def _fixed(text: str) -> str:
    """Imports by the package's name; no versions of the generator, which are not ours to demand."""
    text = text.replace(
        "import externalscaler_pb2",
        "from wattribute.automation.scaler.keda import externalscaler_pb2",
    )
    return re.sub(r"^# Protobuf Python Version: .*\n", "", text, flags=re.MULTILINE)


def main() -> int:
    """0: fresh, or written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [path for path, text in generated(Path()).items() if _differs(path, text)]
    for path in stale:
        print(f"{path}: " + ("stale; make proto" if check else "written"))
        if not check:
            path.write_text(generated(Path())[path])
    return 1 if check and stale else 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text() != text


if __name__ == "__main__":
    sys.exit(main())
