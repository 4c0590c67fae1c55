"""The folders of one cgroup hierarchy, kept up to date without walking it."""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from wattribute.core.errors import ActivityFailed
from wattribute.node.activity.inotify import Watches

_LEAST_LINKS: Final = 2
"""st_nlink of a kernfs folder without subfolders; file systems that do not count say 1."""

_MOST: Final = 16_384
"""Folders that are followed (32 MiB); users with a delegated cgroup could make any number."""


class Folder:
    """One cgroup's folder."""

    __slots__ = ("children", "id", "parent", "path", "watch")

    def __init__(self, number: int, path: str, parent: "Folder | None") -> None:
        """``number``: st_ino; ``path``: from the hierarchy's root, ``/a/b``."""
        self.id = number
        self.path = path
        self.parent = parent
        self.children: dict[str, Folder] = {}
        self.watch = -1

    @property
    def shown(self) -> str:
        """The path as valid text."""
        return printable(self.path)


class FolderTree:
    """All folders under a root.

    A folder is listed when it is new, and then only when inotify says that a
    subfolder came or went. Folders that cannot be watched are looked at each
    time: their number of links is 2 + subfolders (kernfs), and a subfolder that
    was replaced by another has another inode. Either way nothing comes unseen
    that is still there at the next refresh.
    """

    def __init__(self, root: str) -> None:
        """Nothing is read yet; ``root`` without a slash at its end."""
        self._root_path = root
        self._root: Folder | None = None
        self._watches = Watches()
        self._watched: dict[int, Folder] = {}
        self.folders: dict[int, Folder] = {}
        """By id, parents before children."""
        self.left_out = 0
        """Folders that are not followed, because there are too many."""

    def refresh(self, *, everything: bool = False) -> tuple[bool, list[Folder]]:
        """Bring the tree up to date.

        Args:
            everything: list all folders, whatever was said of them.

        Returns:
            Whether anything changed, and the folders that are gone (children
            after their parents).

        Raises:
            ActivityFailed: the root cannot be listed.
        """
        if self._root is None:
            return self._first(), []
        numbers, lost = self._watches.changed()
        if lost or everything:
            stale = list(self.folders.values())
        else:
            stale = [self._watched[n] for n in numbers if n in self._watched]
            if len(self._watched) < len(self.folders):
                stale += [f for f in self.folders.values() if f.watch < 0 and self._differs(f)]
        gone: list[Folder] = []
        changed = False
        for folder in stale:
            changed |= self._relist(folder, gone)
        return changed, gone

    def real_path(self, folder: Folder) -> str:
        """Where the folder lies."""
        return self._root_path + (folder.path if folder.parent else "")

    def close(self) -> None:
        """Stop watching."""
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
        """Take new folders in, with all that is under them; watch first, then list."""
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

    def _relist(self, folder: Folder, gone: list[Folder]) -> bool:
        """Compare a folder with what it holds now."""
        if self.folders.get(folder.id) is not folder:
            return False  # gone with its parent
        found = self._subfolders(folder)
        if found is None:
            if folder.parent is None:
                raise ActivityFailed(f"{self._root_path}: the cgroup hierarchy is gone")
            return self._relist(folder.parent, gone)
        before = {name: child.id for name, child in folder.children.items()}
        if found == before:
            return False
        here = set(found.values())
        moved = {
            child.id: child
            for name, child in folder.children.items()
            if found.get(name) != child.id and child.id in here
        }
        for name in [n for n, number in before.items() if found.get(n) != number]:
            child = folder.children.pop(name)
            if child.id not in moved:
                self._drop(child, gone)
        new = []
        for name, number in found.items():
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

    def _drop(self, folder: Folder, gone: list[Folder]) -> None:
        """Forget a folder and all that was under it."""
        start = len(gone)
        gone.append(folder)
        for lost in itertools.islice(gone, start, None):  # grows as it goes
            if self.folders.get(lost.id) is lost:
                del self.folders[lost.id]
            if self._watched.get(lost.watch) is lost:
                del self._watched[lost.watch]
            gone.extend(lost.children.values())

    @staticmethod
    def _rename(folder: Folder, path: str) -> None:
        folder.path = path
        below = [folder]
        for parent in below:  # grows as it goes
            for name, child in parent.children.items():
                child.path = f"{parent.path}/{name}"
                below.append(child)

    def _subfolders(self, folder: Folder) -> dict[str, int] | None:
        """Names and inodes of the subfolders; None if the folder is gone or closed to us."""
        found = {}
        try:
            with os.scandir(self.real_path(folder)) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        try:
                            # Not entry.inode(): on stacked file systems that is another number.
                            found[entry.name] = entry.stat(follow_symlinks=False).st_ino
                        except FileNotFoundError:
                            continue
        except OSError:
            return None
        return found

    def _differs(self, folder: Folder) -> bool:
        """Whether a folder that is not watched may have changed."""
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
    r"""A path as valid text: bytes that are not UTF-8 become ``\xff``."""
    if path.isascii():
        return path
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
