"""Reading a file of pooled weights."""

from pathlib import Path

from wattribute.core.errors import DataInvalid
from wattribute.core.records import MAX_WEIGHTS_BYTES, PooledWeights, decode_weights


def read_document(path: Path) -> tuple[bytes, PooledWeights]:
    """Return a file's bytes, and the document in it.

    Raises:
        DataInvalid: the file cannot be read, or is no pooled weights.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_WEIGHTS_BYTES + 1)
    except OSError as exc:
        raise DataInvalid(f"{path}: cannot be read: {exc.strerror}") from exc
    return data, decode_weights(data, str(path))
