"""A public data set on this machine: from a mirror, from an earlier download, or fetched now.

    WORKBENCH_PUBLIC_DATA set?  ──yes──►  that folder, checked
            │ no
    data/public/<set>/manifest.json?  ──yes──►  there already, checked
            │ no
    file by file into <file>.part, from where it broke off ──► checksum ──► manifest, written last

Nothing is read that is not, byte for byte or value for value, what was published.
"""

from __future__ import annotations

import errno
import fcntl
import http.client
import importlib.util
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path

from workbench import lab
from workbench.data.sources import File, Source

__all__ = ["ChecksumError", "DownloadError", "fetch"]

MANIFEST = "manifest.json"
ATTEMPTS, PAUSE_S, TIMEOUT_S = 4, 1.0, 30.0
CHUNK_BYTES, LARGEST_BYTES = 1 << 16, 1 << 28


class DownloadError(OSError):
    """A file could not be fetched."""


class ChecksumError(ValueError):
    """A file is not the one that was published."""


def fetch(
    source: Source,
    *,
    make: Callable[[Path], None] | None = None,
    home: str | Path | None = None,
    progress: bool = True,
) -> Path:
    """The folder with the set's files, each of them checked.

    Parameters
    ----------
    source : Source
    make : callable, optional
        For a set with a `made` file: writes that file into the folder with the downloaded ones, and
        raises ValueError if they are not what was published. They are deleted then, either way.
    home : path, optional
        Where downloads are kept. Default: `$WORKBENCH_HOME/public`, else `data/public` in the
        checkout, else `./.workbench/public`. If given, no mirror is asked.
    progress : bool
        Show a bar while downloading.

    Raises
    ------
    DownloadError
        If a file cannot be fetched; what arrived is kept and the next call goes on from there.
    ChecksumError
        If a file is not the one that was published.
    """
    mirror = os.environ.get("WORKBENCH_PUBLIC_DATA")
    if mirror and home is None:
        folder = Path(mirror).expanduser() / source.folder
        if not folder.is_dir():
            raise DownloadError(
                f"no mirror of {source.name}: WORKBENCH_PUBLIC_DATA is set, but there is no folder "
                f"{folder}. Put its files there, or unset WORKBENCH_PUBLIC_DATA to download them"
            )
        advice = "copy it again, or unset WORKBENCH_PUBLIC_DATA to download it"
    else:
        folder = (_default_home() if home is None else Path(home)) / source.folder
        if not (folder / MANIFEST).exists():
            _download(source, folder, make, progress)
        advice = f"delete {folder} and load {source.name} again"
    kept = (File(source.made, ""),) if source.made else source.files
    for file in kept:
        _check(file, folder / file.path, advice)
    return folder


def _default_home() -> Path:
    if os.environ.get("WORKBENCH_HOME"):
        return Path(os.environ["WORKBENCH_HOME"]).expanduser() / "public"
    checkout = Path(lab.__file__).resolve().parent.parent
    return checkout / "data" / "public" if lab._is_ours(checkout) else Path(".workbench/public")


def _check(file: File, path: Path, advice: str) -> None:
    if not path.is_file():
        raise ChecksumError(f"{path} is missing: {advice}")
    if file.sha256 is None:
        return
    size = path.stat().st_size
    if size != file.size_bytes:
        raise ChecksumError(
            f"{path} has {size:,} bytes, what was published has {file.size_bytes:,}: {advice}"
        )
    with path.open("rb") as content:
        found = file_digest(content, "sha256").hexdigest()
    if found != file.sha256:
        raise ChecksumError(
            f"{path} is not what was published: its SHA-256 is {found}, not {file.sha256}; {advice}"
        )


def _download(source: Source, folder: Path, make, progress: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock, _bar(source, progress) as bar:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / MANIFEST).exists():  # another process has just done it
            return
        for file in source.files:
            _fetch_file(source, file, folder / file.path, bar)
        if make is not None:
            try:
                make(folder)
            finally:  # good or bad, they are not needed again
                for file in source.files:
                    (folder / file.path).unlink()
        content = {"set": source.name, "licence": source.licence, "source": source.homepage}
        content["files"] = {file.path: [file.url, file.sha256] for file in source.files}
        new = folder / f"{MANIFEST}.new"
        new.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        os.replace(new, folder / MANIFEST)


def _fetch_file(source: Source, file: File, target: Path, bar) -> None:
    """Fetch one file into its .part, from where that ends; check it; give it its name."""
    if target.exists():  # complete, of a download that broke off at a later file
        bar.update(target.stat().st_size)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    for attempt in range(ATTEMPTS):
        try:
            _receive(file, part, bar)
            break
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            if error.code < 500 and error.code != 429:
                attempt = ATTEMPTS
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            if getattr(error, "errno", None) in _OWN_DISK:
                raise
            problem = str(getattr(error, "reason", error)) or type(error).__name__
        if attempt + 1 >= ATTEMPTS:
            have = part.stat().st_size if part.exists() else 0
            kept = f"{have:,} bytes are kept in {part}, and the next call goes on from there. "
            raise DownloadError(
                f"could not fetch {source.name}: {file.url}: {problem}. "
                f"{kept if have else ''}Without network, let "
                f"WORKBENCH_PUBLIC_DATA name a folder that holds {source.folder}/"
            )
        time.sleep(PAUSE_S * 2**attempt)
    try:
        _check(file, part, "load it again; if that does not help, the source has changed")
    except ChecksumError:
        part.unlink()
        raise
    os.replace(part, target)


_OWN_DISK = (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT)


def _receive(file: File, part: Path, bar) -> None:
    """Append to `part` what the server still has of the file. Raises OSError if it breaks off."""
    have = part.stat().st_size if part.exists() else 0
    if file.size_bytes is not None and have >= file.size_bytes:
        bar.update(have)
        return
    request = urllib.request.Request(file.url, headers={"User-Agent": "mlsys-workbench"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        goes_on = answer.status == 206
        if goes_on and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink()
            raise OSError(f"the server sent another range than asked for, bytes {have} to the end")
        length = answer.headers.get("Content-Length")
        due = None if length is None else int(length)
        limit = file.size_bytes or LARGEST_BYTES
        with part.open("ab" if goes_on else "wb") as out:
            while chunk := answer.read(CHUNK_BYTES):
                out.write(chunk)
                bar.update(len(chunk))
                if out.tell() > limit:
                    break  # not what was published: the check says so
                due = None if due is None else due - len(chunk)
    if due:
        raise OSError(f"the connection broke off, {due:,} bytes too early")


class _NoBar:
    def update(self, _bytes: int) -> None: ...


@contextmanager
def _bar(source: Source, progress: bool):
    if not progress or importlib.util.find_spec("tqdm") is None:
        yield _NoBar()
        return
    from tqdm.auto import tqdm

    sizes = [file.size_bytes for file in source.files]
    total = None if None in sizes else sum(sizes)
    with tqdm(total=total, desc=source.name, unit="B", unit_scale=True) as bar:
        yield bar
