"""The data of attachments is on the disk, under its name, before its statement may be answered."""
from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from lrs.store.sqlite.attachments import FileAttachments

DATA = b"a certificate"
SHA2 = hashlib.sha256(DATA).hexdigest()


def test_data_and_folders_are_synced_before_it_counts_as_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileAttachments(tmp_path / "attachments")
    synced: list[str] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    staged = store.stage([DATA[:5], DATA[5:]], SHA2, hashlib.sha256())
    assert staged.matches
    staged.keep()
    incoming, folder = str(tmp_path / "attachments" / "incoming"), tmp_path / "attachments"
    assert synced[0].startswith(incoming)  # the bytes, before the name
    assert synced[1:] == [str(folder / SHA2[:2]), str(folder)]
    assert b"".join(store.read(SHA2)) == DATA
