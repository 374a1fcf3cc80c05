import functools
import gzip
import http.server
import shutil
import struct
import threading
from hashlib import md5

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST

from hpo_vs_adapt.workloads import WORKLOADS, DataError
from hpo_vs_adapt.workloads.fashion_mnist_files import PACKAGED, find_files, read_pair

needs_package = pytest.mark.skipif(
    not PACKAGED.is_dir(), reason="needs Debian's package dataset-fashion-mnist"
)
NAMES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


def images_and_labels(part, size=28):
    count = {"train": 60, "test": 20}[part]
    draws = np.random.default_rng(len(part))
    images = draws.integers(0, 256, (count, size, size), dtype=np.uint8)
    return images, draws.integers(0, 10, count, dtype=np.uint8)


def idx(array):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def write(directory, zipped=False, size=28):
    directory.mkdir(parents=True, exist_ok=True)
    for part, names in NAMES.items():
        for name, array in zip(names, images_and_labels(part, size), strict=True):
            if zipped:
                (directory / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
            else:
                (directory / name).write_bytes(idx(array))
    return directory


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("folder", ["", "FashionMNIST/raw"])
def test_the_study_names_a_directory_flat_or_as_torchvision_has_it(
    tmp_path, zipped, folder
):
    write(tmp_path / folder, zipped)
    images, labels = images_and_labels("train")
    found = read_pair(find_files(tmp_path), "train")
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)
    loaded = WORKLOADS["fashion_mnist_mlp"]().load(tmp_path)
    np.testing.assert_array_equal(loaded.x[loaded.test], images_and_labels("test")[0])


def test_a_named_directory_without_the_files_is_refused_with_the_three_ways(tmp_path):
    write(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as refused:
        WORKLOADS["fashion_mnist_cnn"]().dataset(tmp_path)
    message = str(refused.value)
    assert f"got '{tmp_path}', which has no t10k-labels-idx1-ubyte." in message
    for way in ("`data:` in the study", "apt-get install", "download by torchvision"):
        assert way in message


@needs_package
@pytest.mark.slow
def test_debians_package_is_the_second_way(tmp_path):
    assert find_files(None, cache=tmp_path) == PACKAGED
    data = WORKLOADS["fashion_mnist_mlp"]().dataset()
    sizes = (len(data.train), len(data.validation), len(data.test))
    assert sizes == (50_000, 10_000, 10_000)
    assert np.bincount(data.y[data.test]).tolist() == [1000] * 10
    train = data.x[data.train]
    assert abs(train.mean(dtype=np.float64)) < 1e-4
    assert abs(train.std(dtype=np.float64) - 1) < 1e-4


class Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


class Quiet(http.server.ThreadingHTTPServer):
    def handle_error(self, request, address):
        """torchvision asks for each file once without reading it."""


@pytest.fixture
def mirror():
    handler = functools.partial(Files, directory=PACKAGED)
    with Quiet(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@needs_package
@pytest.mark.slow
def test_torchvisions_download_is_the_third_way_and_is_found_again(
    tmp_path, mirror, monkeypatch
):
    monkeypatch.setattr(FashionMNIST, "mirrors", [mirror])
    # Debian packed the files anew, so the packed ones have sums of their own.
    sums = {
        path.name: md5(path.read_bytes()).hexdigest() for path in PACKAGED.iterdir()
    }
    monkeypatch.setattr(FashionMNIST, "resources", list(sums.items()))
    cache = tmp_path / "cache"
    found = find_files(None, packaged=tmp_path / "none", cache=cache)
    assert found == cache / "FashionMNIST" / "raw"
    for part in NAMES:
        for ours, theirs in zip(
            read_pair(found, part), read_pair(PACKAGED, part), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
    assert [path.name for path in cache.iterdir()] == ["FashionMNIST"]
    monkeypatch.setattr(FashionMNIST, "mirrors", [])
    assert find_files(None, packaged=tmp_path / "none", cache=cache) == found


@pytest.mark.slow
def test_when_all_fail_one_error_names_the_three_ways(tmp_path, monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), Files) as closed:
        unreachable = f"http://127.0.0.1:{closed.server_port}/"
    monkeypatch.setattr(FashionMNIST, "mirrors", [unreachable])
    with pytest.raises(DataError) as refused:
        find_files(None, packaged=tmp_path / "none", cache=tmp_path / "cache")
    message = str(refused.value)
    assert "its download failed" in message
    assert "`data:` in the study" in message
    assert f"dataset-fashion-mnist, which puts them in {tmp_path / 'none'}" in message
    assert f"download by torchvision into {tmp_path / 'cache'}" in message


def test_the_papers_protocol_scales_to_one_and_keeps_all_training_images(tmp_path):
    workload = WORKLOADS["fashion_mnist_mlp"]()
    data = workload.dataset(write(tmp_path), split="paper", seed=3)
    images, labels = images_and_labels("train")
    # (x / 255 - 0.5) / 0.5
    expected = (images / 255 - 0.5) / 0.5
    np.testing.assert_allclose(data.x[data.train], expected, atol=1e-6)
    np.testing.assert_array_equal(data.y[data.train], labels)
    np.testing.assert_array_equal(data.test, np.arange(60, 80))
    np.testing.assert_array_equal(data.validation, data.test)
    assert not workload.splits_by_seed("paper")
    assert data.version == workload.dataset(tmp_path, "paper", seed=4).version


def cut(path):
    path.write_bytes(path.read_bytes()[:-7])


def empty(path):
    path.write_bytes(b"")


def other_magic(path):
    path.write_bytes(b"\0\0\x0d" + path.read_bytes()[3:])


@pytest.mark.parametrize("damage", [cut, empty, other_magic])
def test_a_damaged_file_is_named(tmp_path, damage):
    damage(write(tmp_path) / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match="train-images-idx3-ubyte must be a whole idx"):
        read_pair(tmp_path, "train")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", None])
def test_a_damaged_gzip_file_is_named(tmp_path, content):
    path = write(tmp_path, zipped=True) / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-7] if content is None else content)
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz must be a whole"):
        read_pair(tmp_path, "test")


def test_files_of_different_sources_are_refused(tmp_path):
    write(tmp_path)
    shutil.copy(
        tmp_path / "t10k-labels-idx1-ubyte", tmp_path / "train-labels-idx1-ubyte"
    )
    with pytest.raises(DataError, match="60 train images and 20 labels"):
        read_pair(tmp_path, "train")


def test_images_of_another_size_are_refused(tmp_path):
    write(tmp_path, size=8)
    with pytest.raises(DataError, match=r"must be 28x28; got \(8, 8\)"):
        WORKLOADS["fashion_mnist_mlp"]().dataset(tmp_path)
