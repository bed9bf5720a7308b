"""A copy of the tree in a temporary folder, in which a file is broken and made whole again."""
from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mutants.mutant import Mutant


class Copy:
    """The files of a repository, as they stand in its working tree, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of_repository(cls, root: Path, folder: Path) -> Copy:
        """Copy what git knows of and what it does not ignore. Raises `subprocess.CalledProcessError` outside of a
        repository."""
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=root, check=True,
                                capture_output=True).stdout.decode().split("\0")
        for name in filter(None, listed):
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)
        return cls(folder)

    def again(self, folder: Path) -> Copy:
        """One more copy, with the bytecode that the first one has made meanwhile."""
        shutil.copytree(self.folder, folder)
        return Copy(folder)

    @contextmanager
    def broken(self, mutant: Mutant) -> Iterator[None]:
        """The mutant in force for the block. Raises `Unfit` before anything is changed."""
        path = self.folder / mutant.file
        whole, times = path.read_bytes(), path.stat()
        path.write_bytes(mutant.applied(whole.decode()).encode())
        try:
            yield
        finally:
            path.write_bytes(whole)
            # bytecode is valid for a size and a time: that of the whole file is valid again
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
