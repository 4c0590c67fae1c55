"""Keep the folders of one cgroup hierarchy up to date without walking it."""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from wattribute.core.errors import ActivityFailed
from wattribute.node.activity.inotify import Watches

_LEAST_LINKS: Final = 2
"""st_nlink of a kernfs folder without subfolders; file systems that do not count links have 1."""

_MOST: Final = 16_384
"""Most folders that are followed (32 MiB): users with delegated cgroups could create any number."""


class Folder:
    """One cgroup's folder."""

    __slots__ = ("children", "id", "parent", "path", "watch")

    def __init__(self, number: int, path: str, parent: "Folder | None") -> None:
        """Describe the folder with inode ``number`` at ``path`` (``/a/b`` from the root)."""
        self.id = number
        self.path = path
        self.parent = parent
        self.children: dict[str, Folder] = {}
        self.watch = -1

    @property
    def printable_path(self) -> str:
        """The folder's path as valid text."""
        return printable(self.path)


class FolderTree:
    """All folders below a root.

    A folder is listed when it is new, and later only when inotify reports that a
    subfolder was created or removed. A folder that cannot be watched is checked each
    time: its number of links is 2 + subfolders (kernfs), and a subfolder that was
    replaced has another inode. So no folder is missed that still exists at the next
    refresh.
    """

    def __init__(self, root: str) -> None:
        """Prepare to read below ``root``, which has no slash at its end."""
        self._root_path = root
        self._root: Folder | None = None
        self._watches = Watches()
        self._watched: dict[int, Folder] = {}
        self.folders: dict[int, Folder] = {}
        """The folders by id, parents before children."""
        self.left_out = 0
        """Number of folders that are not followed because there are too many."""

    def refresh(self, *, everything: bool = False) -> tuple[bool, list[Folder]]:
        """Bring the tree up to date.

        Args:
            everything: list all folders, whether or not a change was reported.

        Returns:
            Whether anything changed, and the removed folders (children after their
            parents).

        Raises:
            ActivityFailed: the root cannot be listed.
        """
        if self._root is None:
            return self._first(), []
        numbers, overflowed = self._watches.changed()
        if overflowed or everything:
            stale = list(self.folders.values())
        else:
            stale = [self._watched[n] for n in numbers if n in self._watched]
            if len(self._watched) < len(self.folders):
                stale += [f for f in self.folders.values() if f.watch < 0 and self._differs(f)]
        removed: list[Folder] = []
        changed = False
        for folder in stale:
            changed |= self._relist(folder, removed)
        return changed, removed

    def real_path(self, folder: Folder) -> str:
        """Return the path at which the folder can be opened."""
        return self._root_path + (folder.path if folder.parent else "")

    def close(self) -> None:
        """Stop watching the folders."""
        self._watches.close()

    def _first(self) -> bool:
        try:
            number = Path(self._root_path).stat().st_ino
        except OSError as exc:
            raise ActivityFailed(f"{self._root_path}: {exc.strerror}") from exc
        self._root = Folder(number, "/", None)
        self._adopt([self._root])
        return True

    def _adopt(self, folders: Iterable[Folder]) -> None:
        """Add new folders with all that are below them; each is watched first, then listed."""
        queue = list(folders)
        for folder in queue:  # grows as it goes: breadth first
            if len(self.folders) >= _MOST:
                self.left_out += 1
                continue
            self.folders[folder.id] = folder
            folder.watch = self._watches.add(self.real_path(folder))
            if folder.watch >= 0:
                self._watched[folder.watch] = folder
            for name, number in (self._subfolders(folder) or {}).items():
                child = Folder(number, f"{folder.path.rstrip('/')}/{name}", folder)
                folder.children[name] = child
                queue.append(child)

    def _relist(self, folder: Folder, removed: list[Folder]) -> bool:
        """Compare a folder's known subfolders with the present ones; return whether they differ."""
        if self.folders.get(folder.id) is not folder:
            return False  # removed with its parent
        present = self._subfolders(folder)
        if present is None:
            if folder.parent is None:
                raise ActivityFailed(f"{self._root_path}: the cgroup hierarchy is gone")
            return self._relist(folder.parent, removed)
        before = {name: child.id for name, child in folder.children.items()}
        if present == before:
            return False
        here = set(present.values())
        moved = {
            child.id: child
            for name, child in folder.children.items()
            if present.get(name) != child.id and child.id in here
        }
        for name in [n for n, number in before.items() if present.get(n) != number]:
            child = folder.children.pop(name)
            if child.id not in moved:
                self._drop(child, removed)
        new = []
        for name, number in present.items():
            if name in folder.children:
                continue
            path = f"{folder.path.rstrip('/')}/{name}"
            child = moved.get(number) or Folder(number, path, folder)
            folder.children[name] = child
            if number in moved:
                self._rename(child, path)
            else:
                new.append(child)
        self._adopt(new)
        return True

    def _drop(self, folder: Folder, removed: list[Folder]) -> None:
        """Forget a folder and all folders below it, and add them to ``removed``."""
        start = len(removed)
        removed.append(folder)
        for dropped in itertools.islice(removed, start, None):  # grows as it goes
            if self.folders.get(dropped.id) is dropped:
                del self.folders[dropped.id]
            if self._watched.get(dropped.watch) is dropped:
                del self._watched[dropped.watch]
            removed.extend(dropped.children.values())

    @staticmethod
    def _rename(folder: Folder, path: str) -> None:
        folder.path = path
        below = [folder]
        for parent in below:  # grows as it goes
            for name, child in parent.children.items():
                child.path = f"{parent.path}/{name}"
                below.append(child)

    def _subfolders(self, folder: Folder) -> dict[str, int] | None:
        """Return names and inodes of the subfolders; None if the folder cannot be listed."""
        inodes = {}
        try:
            with os.scandir(self.real_path(folder)) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        try:
                            # entry.inode() differs from st_ino on stacked file systems.
                            inodes[entry.name] = entry.stat(follow_symlinks=False).st_ino
                        except FileNotFoundError:
                            continue
        except OSError:
            return None
        return inodes

    def _differs(self, folder: Folder) -> bool:
        """Tell whether a folder that is not watched may have changed."""
        try:
            status = os.lstat(self.real_path(folder))
            if status.st_nlink < _LEAST_LINKS:
                return True
            if status.st_nlink != _LEAST_LINKS + len(folder.children):
                return True
            return any(
                os.lstat(self.real_path(child)).st_ino != child.id
                for child in folder.children.values()
            )
        except OSError:
            return True


def printable(path: str) -> str:
    r"""Return a path as valid text: bytes that are not UTF-8 become ``\xff``."""
    if path.isascii():
        return path
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
