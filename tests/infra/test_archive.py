from __future__ import annotations

import os
import zipfile
from pathlib import Path

from infra.archive import archive


def _folder(at: Path, names: list[str], time: float) -> Path:
    for name in names:
        path = at / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"the content of {name}")
        os.utime(path, (time, time))
    return at


def test_the_same_files_make_the_same_bytes_whenever_and_in_whatever_order_they_were_made(tmp_path: Path) -> None:
    names = ["app.py", "a/b.py", "a/c.so", "z/__pycache__/d.pyc"]
    archive(_folder(tmp_path / "one", names, 1_000_000_000), tmp_path / "one.zip")
    archive(_folder(tmp_path / "two", names[::-1], 1_700_000_000), tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_everybody_may_read_what_is_in_it(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "one", ["app.py", "a/c.so"], 1_000_000_000)
    (folder / "app.py").chmod(0o600)
    archive(folder, tmp_path / "one.zip")
    modes = {one.filename: one.external_attr >> 16 & 0o777 for one in zipfile.ZipFile(tmp_path / "one.zip").infolist()}
    assert modes == {"app.py": 0o644, "a/c.so": 0o755}
