"""A checkout of another revision of the repository, for the time of an A/B comparison."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wattribute.core.errors import ConfigInvalid, DataInvalid


@contextmanager
def checked_out(revision: str, here: Path) -> Iterator[tuple[Path, str]]:
    """Check out a revision inside ``.git``, and remove it afterwards.

    Both sides are on the same file system, so that reading and writing cost the same.

    Args:
        revision: A branch, a tag or a commit.
        here: A folder of the repository.

    Yields:
        The folder that corresponds to ``here``, and the commit.

    Raises:
        ConfigInvalid: The folder is not in a repository, or the revision does not exist.
        DataInvalid: git could not check it out.
    """
    top = Path(_git(here, "rev-parse", "--show-toplevel"))
    common = Path(_git(here, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    commit = _git(
        here, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", revision=revision
    )
    with tempfile.TemporaryDirectory(prefix="wattribute-ab-", dir=common) as holder:
        tree = Path(holder) / "tree"
        try:
            _git(top, "worktree", "add", "--quiet", "--detach", str(tree), commit)
        except ConfigInvalid as exc:
            raise DataInvalid(f"--base {revision}: {exc}") from exc
        try:
            folder = tree / here.resolve().relative_to(top.resolve())
            if not folder.is_dir():
                raise ConfigInvalid(
                    f"{revision} has no folder {folder.relative_to(tree)}; start in a folder that "
                    "both revisions have"
                )
            yield folder, commit[:12]
        finally:
            subprocess.run(
                ["git", "worktree", "remove", "--force", str(tree)],  # noqa: S607
                cwd=top,
                check=False,
                capture_output=True,
            )


def _git(folder: Path, *arguments: str, revision: str = "") -> str:
    try:
        result = subprocess.run(
            ["git", *arguments],  # noqa: S607
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        raise ConfigInvalid("gate ab needs git, which is not installed; install git") from None
    except subprocess.CalledProcessError as exc:
        reason = " ".join(exc.stderr.split())
        if revision:
            raise ConfigInvalid(
                f"{revision}: there is no such revision here; in CI fetch it first (fetch-depth: 0)"
            ) from None
        raise ConfigInvalid(f"git {arguments[0]} in {folder}: {reason}") from None
    return result.stdout.strip()
