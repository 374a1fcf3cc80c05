"""Where every number of a report's answer is found: summary, CSV and records."""

import json
import re

import pandas as pd

from hpo_vs_adapt import wording
from tests.report.answers.claims import agrees, claims, masked, pattern, visible_blocks
from tests.report.answers.recounted import Recount
from tests.report.answers.recounted_answers import across, headline, pair, stretch
from tests.report.answers.sentences import COLUMNS, LISTS, SENTENCES

LR = ("hit_decades", "tested_low", "tested_high")
ACROSS = ("workloads", "solved", "score", "mean_ratio", "in_how_many")
ORIGINS = ("defaults_trials", "space_trials")


class Answered:
    """A report with all that its numbers can be found in."""

    def __init__(self, results, folder):
        self.page = results.write_report(folder).read_text()
        self.folder = folder
        self.summary = json.loads((folder / "summary.json").read_text())
        self.count = Recount(results)
        self.arms = [arm.name for arm in results.study.arms]
        self.workloads = [entry.name for entry in results.study.workloads]
        self.entries = {entry.name: entry for entry in results.study.workloads}
        slugs = wording.slugs(self.workloads)
        self.articles = {f"workload-{slugs[w]}-answer": w for w in self.workloads}
        self.headlines = {w: headline(self.count, w) for w in self.workloads}
        self.patterns = [pattern(one, self.arms) for one in SENTENCES]
        self.lists = [
            (pattern(whole, self.arms), parted, pattern(one, self.arms))
            for whole, parted, one in LISTS
        ]
        self.columns = [pattern(one, self.arms) for one in COLUMNS]
        self.csvs = {}

    def csv(self, name):
        if name not in self.csvs:
            self.csvs[name] = pd.read_csv(self.folder / "tables" / f"{name}.csv")
        return self.csvs[name]

    def row(self, name, **keys):
        """Return a row of a list of the summary, and the same row of a CSV."""
        (told,) = (
            row
            for row in self.summary[name]
            if all(row[key] == value for key, value in keys.items())
        )
        table = self.csv(name)
        for key, value in keys.items():
            table = table[table[key] == value]
        (kept,) = table.to_dict("records")
        return told, kept

    def sources(self, workload, claim):
        """Return what summary, CSV and records have in place of a claim's number."""
        field, owner = claim.field, claim.owner
        row = self.headlines.get(workload)
        if field in ACROSS:
            told, kept = self.row("across_workloads", arm=owner)
            return told[field], kept[field], across(self.count, owner)[field]
        if owner == "workload":
            return self.target(workload)
        if owner == "headline":
            told, kept = self.row("headlines", workload=workload)
            return told[field], kept[field], row[field]
        if owner == "pair":
            names = {"tuned": row["tuned"], "other": row["untuned"]}
            told, kept = self.row("break_even", workload=workload, **names)
            return told[field], kept[field], pair(self.count, workload, row)[field]
        if field in LR:
            arm = self.summary["lr_numbers"][0]["arm"] if owner == "lr" else owner
            told, kept = self.row("lr_numbers", workload=workload, arm=arm)
            rates = self.count.swept(workload, arm)
            return told[field], kept[field], stretch(rates)[field]
        arm = row["leader"] if owner == "leader" else owner
        return self.of_arm(workload, arm, field)

    def target(self, workload):
        (told,) = (w for w in self.summary["workloads"] if w["name"] == workload)
        sweep = self.csv("target_sweep")
        levels = sweep.loc[sweep["workload"] == workload, "target"]
        wanted = self.entries[workload].target
        return told["target"], min(levels, key=lambda x: abs(x - wanted)), wanted

    def of_arm(self, workload, arm, field):
        told = next(
            row
            for row in self.summary["arms"]
            if (row["workload"], row["arm"]) == (workload, arm)
        )
        table = self.csv("ranking" if field in ORIGINS else "bills")
        place = (table["workload"] == workload) & (table["arm"] == arm)
        (kept,) = table[place].to_dict("records")
        mine = self.count.arms[workload, arm][field]
        bill = {"bill": "expected", "bill_low": "low", "bill_high": "high"}
        if field in bill:
            return told["bill"][bill[field]], kept[field], mine
        return told[field], kept[field], mine

    def check(self, page):
        """Attribute every number of a page's answer; return the claims.

        Raises:
            AssertionError: If a number is in no known sentence, or is another one in
                the summary, in a CSV or as it is counted again.
        """
        found = []
        names = [*self.arms, *self.workloads]
        cells = []
        for article, tag, text in visible_blocks(page, "answer"):
            workload = self.articles.get(article)
            if tag in ("th", "td") and article == "answer-overview":
                cells.append(text)
                continue
            if re.search(r"\d", masked(text, names)):
                found += [(workload, one) for one in self.read(workload, text)]
        found += self.read_table(cells)
        for workload, claim in found:
            self.compare(workload, claim)
        return [claim for _, claim in found]

    def compare(self, workload, claim):
        for place, value in zip(
            ("summary.json", "a CSV", "the records"),
            self.sources(workload, claim),
            strict=True,
        ):
            assert agrees(claim, value), (workload, claim, place, value)

    def read(self, workload, text):
        """Return the claims of a sentence; fail if none of the kinds is its."""
        interval = re.fullmatch(r"Interval of (.*?)\. (.*)", text)
        if interval:
            return self.read_note(workload, *interval.groups())
        matches = filter(None, (one.fullmatch(text) for one in self.patterns))
        match = next(matches, None)
        if match:
            return list(claims(match))
        for whole, parted, one in self.lists:
            match = whole.fullmatch(text)
            if match:
                items = re.split(parted, match.groups()[-1])
                parts = [one.fullmatch(item) for item in items]
                odd = [i for i, p in zip(items, parts, strict=True) if p is None]
                assert not re.search(r"\d", masked(" ".join(odd), self.arms)), odd
                return [*claims(match), *(c for p in parts if p for c in claims(p))]
        raise AssertionError(f"No test knows the numbers of: {text}")

    def read_note(self, workload, names, note):
        """Check a note on intervals, whose numbers are those of its arms' passes."""
        for arm in re.split(", | and ", names):
            told, kept, mine = self.of_arm(workload, arm, "interval_note")
            assert note == told == kept == mine
            row = self.count.arms[workload, arm]
            hits, misses = row["pass_hits"], row["passes"] - row["pass_hits"]
            if misses:
                assert note.startswith(f"{wording.counted(hits, 'hit')} and {misses} ")
            else:
                unseen = 1 - 0.05 ** (1 / hits)
                assert f"All {hits} passes hit:" in note
                assert f"up to {100 * unseen:.0f} % may" in note
        return []

    def read_table(self, cells):
        """Return the claims of the table of workloads, a row for each."""
        if len(self.workloads) == 1:
            assert not cells
            return []
        width = len(COLUMNS) + 1
        rows = [cells[at : at + width] for at in range(width, len(cells), width)]
        assert [workload for workload, *_ in rows] == self.workloads
        found = []
        for workload, *texts in rows:
            for column, text in zip(self.columns, texts, strict=True):
                if re.search(r"\d", masked(text, self.arms)):
                    match = column.fullmatch(text)
                    assert match, text
                    found += [(workload, claim) for claim in claims(match)]
        return found
