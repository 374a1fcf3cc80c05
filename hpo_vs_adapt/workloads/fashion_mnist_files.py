"""Fashion-MNIST's files: where they may be and how they are read."""

from __future__ import annotations

import gzip
import http.client
import tempfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpo_vs_adapt.workloads.base import DataError

__all__ = ["CACHE", "PACKAGED", "find_files", "read_pair"]

PACKAGED = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package ``dataset-fashion-mnist`` puts the files."""

CACHE = Path.home() / ".cache" / "hpo_vs_adapt"
"""Where downloads go."""

PREFIXES = {"train": "train", "test": "t10k"}

WAYS = (
    "Fashion-MNIST can come from (1) `data:` in the study, a directory with the four "
    "idx files, gzipped or not, flat or in FashionMNIST/raw; (2) Debian's package: "
    "apt-get install dataset-fashion-mnist, which puts them in {packaged}; (3) a "
    "download by torchvision into {cache}."
)


def find_files(
    data: Path | None, packaged: Path = PACKAGED, cache: Path = CACHE
) -> Path:
    """Return the directory that holds the four files, downloading them if need be.

    Args:
        data: Place named by the study, which is then the only one looked at.
        packaged: Place of the operating system's package.
        cache: Where a download goes and is found again.

    Raises:
        DataError: If the files are nowhere; the message names the three ways.
    """
    ways = WAYS.format(packaged=packaged, cache=cache)
    places = [packaged, cache] if data is None else [data]
    for place in places:
        for directory in (place, place / "FashionMNIST" / "raw"):
            if _complete(directory):
                return directory
    if data is not None:
        missing = ", ".join(_missing(data))
        raise DataError(
            "`data` must be a directory with Fashion-MNIST's files; got "
            f"{str(data)!r}, which has no {missing}. {ways}"
        )
    try:
        return _download(cache)
    # What torchvision, urllib and http.client raise when a download fails.
    except (RuntimeError, OSError, http.client.HTTPException) as error:
        raise DataError(
            f"Fashion-MNIST was not found, and its download failed: {error} {ways}"
        ) from error


def read_pair(
    directory: Path, part: str
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images `(n, rows, columns)` and labels `(n,)` of ``train`` or ``test``.

    Raises:
        DataError: If a file is damaged or the two do not belong together.
    """
    prefix = PREFIXES[part]
    images = _read(directory, f"{prefix}-images-idx3-ubyte", 3)
    labels = _read(directory, f"{prefix}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise DataError(
            f"{directory} has {len(images)} {part} images and {len(labels)} labels; "
            "take all four files from one source."
        )
    return images, labels


def _names() -> list[str]:
    return [
        f"{prefix}-{kind}-ubyte"
        for prefix in PREFIXES.values()
        for kind in ("images-idx3", "labels-idx1")
    ]


def _missing(directory: Path) -> list[str]:
    return [name for name in _names() if _file(directory, name) is None]


def _complete(directory: Path) -> bool:
    return not _missing(directory)


def _file(directory: Path, name: str) -> Path | None:
    candidates = (directory / name, directory / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read(directory: Path, name: str, dimensions: int) -> NDArray[np.uint8]:
    """Return an idx file of unsigned bytes: magic number, sizes, then the values."""
    path = _file(directory, name)
    assert path is not None
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(
                f"{path} must be a whole gzip file; got: {error}. Fetch it again."
            ) from error
    header = np.frombuffer(content[: 4 * (1 + dimensions)], ">u4")
    values = np.frombuffer(content[4 * (1 + dimensions) :], np.uint8)
    whole = len(header) == 1 + dimensions and header[0] == 0x0800 + dimensions
    if not whole or len(values) != header[1:].prod(dtype=np.int64):
        raise DataError(
            f"{path} must be a whole idx file of {dimensions} dimensions; got "
            f"{len(content)} bytes that are not. Fetch it again."
        )
    return values.reshape(header[1:].astype(np.int64))


def _download(cache: Path) -> Path:
    """Fetch the files through torchvision, which checks their sums.

    Each appears in `cache` whole, so that processes that download at the same time do
    not see each other's halves.
    """
    # Imported here: it takes seconds, and is needed once a machine at most.
    from torchvision.datasets import FashionMNIST

    raw = cache / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as partial:
        FashionMNIST(partial, download=True)
        for path in (Path(partial) / "FashionMNIST" / "raw").iterdir():
            path.replace(raw / path.name)
    return raw
