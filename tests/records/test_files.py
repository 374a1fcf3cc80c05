"""Files that are written whole or not at all."""

import pytest

from hpo_vs_adapt.records.files import FileProblem, write_whole


@pytest.mark.parametrize("durable", [False, True])
def test_text_and_bytes_are_written_as_they_are(tmp_path, durable):
    file = tmp_path / "new" / "folder" / "x"
    write_whole(file, "é\r\n\n", durable=durable)
    assert file.read_bytes() == "é\r\n\n".encode()
    write_whole(file, b"\x00\xff", durable=durable)
    assert file.read_bytes() == b"\x00\xff"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/x", "(Not a directory|File exists)"),
        ("folder", "Is a directory"),
        ("x" * 300, "File name too long"),
        ("nul\0", "embedded null"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_with_the_reason(tmp_path, name, reason):
    (tmp_path / "file").write_text("a file where a folder should be")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileProblem, match=rf"cannot be written: {reason}.*\.$") as told:
        write_whole(tmp_path / name, "text")
    assert str(tmp_path / name) in str(told.value)
    assert sorted(tmp_path.rglob("*")) == before
