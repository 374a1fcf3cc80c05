import subprocess
import sys

import pytest

from hpo_vs_adapt.observers.dashboard.storage import StorageProblem, open_storage

OPEN = """
import sys
from hpo_vs_adapt.observers.dashboard.storage import open_storage
print("ready", flush=True)
sys.stdin.readline()
for url in sys.argv[1:]:
    print(len(open_storage(url).get_all_studies()), flush=True)
"""


@pytest.mark.slow
def test_processes_that_open_a_new_database_at_the_same_moment_all_get_it(tmp_path):
    urls = [f"sqlite:///{tmp_path}/{number}.db" for number in range(10)]
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, *urls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for one in openers:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in openers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in openers:
        printed, complaint = one.communicate()
        assert (printed.split(), complaint) == (["0"] * len(urls), "")


def test_a_database_that_does_not_open_is_refused_at_once(tmp_path):
    (tmp_path / "no.db").write_text("this is no database, whatever its name says")
    with pytest.raises(StorageProblem, match=r"database that opens.*not a database"):
        open_storage(f"sqlite:///{tmp_path}/no.db")
