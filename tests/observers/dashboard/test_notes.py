"""Notes and figures in the Optuna studies of a study that was trained."""

import dataclasses
import io
import json
import sys

import numpy as np
import optuna
import optuna_dashboard
import pytest

from hpo_vs_adapt.observers.dashboard import annotations
from hpo_vs_adapt.observers.dashboard.annotations import Annotations
from hpo_vs_adapt.observers.dashboard.artifacts import RecordArtifacts, report_id
from hpo_vs_adapt.observers.dashboard.attributes import (
    MARK,
    annotated,
    set_study_attributes,
    trial_marks,
)
from hpo_vs_adapt.observers.dashboard.notes import escaped, trial_note
from hpo_vs_adapt.observers.dashboard.storage import close_storage, open_storage
from hpo_vs_adapt.observers.dashboard.streams import StreamMirrors
from hpo_vs_adapt.observers.dashboard.studies import OptunaStudies
from hpo_vs_adapt.plan.events import Listener
from hpo_vs_adapt.plan.plan import Plan
from hpo_vs_adapt.records.store import RecordStore
from hpo_vs_adapt.records.trials import EndReason
from hpo_vs_adapt.run import load_results
from hpo_vs_adapt.wording import amount
from tests.observers.dashboard.noted import (
    EVIL,
    figures,
    loaded,
    note,
    noted_study,
    system_attributes,
    train,
)

NAMES = [
    "grid/0",
    "grid/1",
    "tpe/0",
    "tpe/1",
    EVIL,
    "broken",
    f"{EVIL}/sweep/lr",
    "grid/retrain/0",
    "grid/retrain/1",
]


def full(name):
    return f"iris_logreg/{name}"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = noted_study(tmp_path_factory.mktemp("noted"))
    train(made)
    return made


@pytest.fixture(scope="module")
def results(study):
    return load_results(study)


def trial_notes(study, name):
    """Return the notes on the trials of an Optuna study, by number."""
    storage = loaded(study, full(name))._storage
    found = {}
    for trial in loaded(study, full(name)).trials:
        key = f"dashboard:{trial._trial_id}:note_str:0"
        attributes = storage.get_study_system_attrs(loaded(study, full(name))._study_id)
        if key in attributes:
            found[trial.number] = attributes[key]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_study_says_what_it_is_and_what_made_it(study, name):
    text = note(study, full(name))
    arm = name.split("/")[0]
    assert text.startswith(f"## {escaped(arm)} on iris\\_logreg\n")
    assert "| Target | accuracy ≥ 0.8 |" in text
    assert f"hpo-vs-adapt run {escaped(study.source)} |" in text
    link = f"/artifacts/{loaded(study, full(name))._study_id}/{report_id('tiny')}"
    assert f"[index.html]({link})" in text
    assert text.endswith(MARK)


@pytest.mark.slow
def test_notes_tell_searches_retrains_and_sweeps_apart(study):
    search, again = note(study, full("grid/1")), note(study, full("grid/retrain/1"))
    assert "a search by grid: lr from 3 values" in search
    assert "tuner seed 1, with which each trial trains too" in search
    assert "the winner of the search, trained again with fresh seeds" in again
    assert "the search had tuner seed 1" in again
    sweep = note(study, full(f"{EVIL}/sweep/lr"))
    assert "a sensitivity sweep, in no bill" in sweep
    assert "with lr 0.01" in sweep  # what the study gives the arm


@pytest.mark.slow
def test_a_note_says_how_trials_ended_and_what_they_cost(study, results):
    text = note(study, full("grid/0"))
    rows = results.records.query("arm == 'grid' and role == 'policy' and stream == 0")
    best = rows.loc[rows["best_metric"].idxmax()]
    assert "| Ended | 2 used the whole budget, 1 diverged |" in text
    assert f"{best['best_metric']:.3f} in trial {best['number']} (lr 0.1)" in text
    assert f"| Cost so far | {amount(rows['cost'].sum())} sample gradients |" in text
    assert f"**3 of 3 trials done, {rows['hit'].sum()} met accuracy ≥ 0.8.**" in text


@pytest.mark.slow
def test_a_value_that_is_a_cost_is_said_to_be_one(study):
    text = note(study, full("tpe/0"))
    [value] = [line for line in text.splitlines() if line.startswith("| Best value")]
    best = loaded(study, full("tpe/0")).best_value
    assert f"{amount(best)} sample gradients in trial" in value
    assert "the cost at which it first met the target" in text


@pytest.mark.slow
def test_the_bill_in_a_note_is_the_one_of_the_report(study, results):
    bills = results.costs().set_index("arm")
    for arm in ("grid", "tpe"):
        bill = bills.loc[arm]
        said = f"| Bill of the arm | {amount(bill['bill'])} sample gradients \\["
        spread = f"{amount(bill['bill_low'])}, {amount(bill['bill_high'])}\\], tuning"
        for seed in (0, 1):
            assert said + spread in note(study, full(f"{arm}/{seed}"))
    assert "not known: 0 of 2 passes met the target" in note(study, full(EVIL))


@pytest.mark.slow
def test_trials_that_diverged_or_crashed_say_why(study):
    trials = loaded(study, full("grid/0")).trials
    [bad] = [t.number for t in trials if t.user_attrs["end_reason"] == "diverged"]
    [(number, text)] = trial_notes(study, "grid/0").items()
    assert number == bad
    assert text.startswith("**Diverged** after ")
    assert "Its value is 0, the worst there is." in text
    assert trial_notes(study, "broken") == dict.fromkeys(
        (0, 1),
        "**Crashed**: RuntimeError: no \\<luck\\> \\| at\\_all. It has no value.",
    )
    assert trial_notes(study, "tpe/0") == {}


@pytest.mark.slow
def test_trials_that_diverged_are_complete_and_infeasible_unless_their_cost_counts(
    study,
):
    ended = {}
    for name in ("grid/0", "tpe/0", f"{EVIL}/sweep/lr"):
        for trial in loaded(study, full(name)).trials:
            assert trial.state.name == "COMPLETE"
            diverged = trial.user_attrs["end_reason"] == "diverged"
            ended[name, diverged] = any(c > 0 for c in trial.constraints.values())
    assert ended["grid/0", True]
    assert not any(broken for (_, diverged), broken in ended.items() if not diverged)
    assert loaded(study, full("grid/0")).best_value > 0
    earned = {"end_reason": "diverged", "hit": True}
    assert trial_marks({"metric": "cost"}, earned) == {}
    assert trial_marks({"metric": "cost"}, {**earned, "hit": False})
    assert trial_marks({"metric": "accuracy"}, earned)


@pytest.mark.slow
def test_a_pruned_trial_says_so_and_a_whole_one_has_no_note(study):
    plan = Plan(study, RecordStore(study.storage.records, writable=False))
    plan.advance()
    answer = plan.answered[0]

    def ended(end):
        record = dataclasses.replace(answer.record, end=end)
        return dataclasses.replace(answer, record=record)

    spent = amount(answer.record.ledger.cost)
    said = f"**Pruned** after {spent} sample gradients. It is charged."
    assert trial_note(ended(EndReason.PRUNED)) == said
    assert trial_note(ended(EndReason.TARGET)) is None


@pytest.mark.slow
def test_attributes_sum_a_study_up_in_the_order_in_which_people_ask(study):
    storage = open_storage(study.storage.optuna)
    [one] = [
        found
        for found in storage.get_all_studies()  # as the dashboard reads them
        if found.study_name == "tiny/iris_logreg/grid/1"
    ]
    close_storage(storage)
    first = ["best_value", "hits", "trials", "arm", "workload", "stream", "seeds"]
    assert list(one.user_attrs)[:7] == first
    trials = loaded(study, full("grid/1")).trials
    assert one.user_attrs["best_value"] == max(trial.value for trial in trials)
    assert one.user_attrs["hits"] == sum(t.user_attrs["hit"] for t in trials)
    assert one.user_attrs["trials"] == "3 of 3"
    assert one.user_attrs["cost"] == sum(t.user_attrs["cost"] for t in trials)
    assert one.user_attrs["kind"] == "tuned"


@pytest.mark.slow
def test_a_record_names_its_optuna_study_and_its_number_there(study, results):
    for row in results.records.to_dict("records"):
        trial = optuna.load_study(
            study_name=row["optuna"], storage=study.storage.optuna
        ).trials[row["number"]]
        assert trial.user_attrs["record"] == row["key"]
    assert not results.records.duplicated(["optuna", "number"]).any()


@pytest.mark.slow
def test_learning_curves_are_those_of_the_records(study, results):
    drawn = {}
    for trace in figures(study, full("grid/0"))["learning_curves"]["data"]:
        points = zip(trace["customdata"], trace["x"], trace["y"], strict=True)
        for number, x, y in points:
            if y is not None:
                drawn.setdefault(number, []).append((x, y, trace["name"]))
    rows = results.records.query("arm == 'grid' and role == 'policy' and stream == 0")
    for row in rows.itertuples():
        curve = results.curves[results.curves["key"] == row.key]
        curve = curve[np.isfinite(curve["validation_metric"])]
        x, y, names = zip(*drawn.pop(row.number), strict=True)
        np.testing.assert_allclose(x, curve["sample_gradients"], rtol=1e-4)
        np.testing.assert_allclose(y, curve["validation_metric"], rtol=1e-4)
        said = "met the target" if row.hit else "missed the target"
        assert set(names) == {"diverged or crashed" if row.failed else said}
    assert drawn == {}


@pytest.mark.slow
def test_the_race_ends_at_all_that_was_spent_with_the_best_there_was(study, results):
    figure = figures(study, full("grid/1"))["race"]
    ends = {trace["name"]: (trace["x"][-1], trace["y"][-1]) for trace in figure["data"]}
    rows = results.records.query("arm == 'grid' and role == 'policy'")
    for name, stream in (("stream 1", 1), ("other streams", 0)):
        own = rows[rows["stream"] == stream]
        expected = (own["cost"].sum(), own["best_metric"].max())
        np.testing.assert_allclose(ends[name], expected, rtol=1e-4)
    assert figure["layout"]["shapes"][0]["y0"] == 0.8
    for trace in figure["data"]:
        assert trace["x"] == sorted(trace["x"])
        assert trace["y"] == sorted(trace["y"])  # accuracy: it only gets better


@pytest.mark.slow
def test_each_seed_of_an_untuned_arm_is_a_race_of_its_own(study):
    traces = figures(study, full(EVIL))["race"]["data"]
    assert [trace["name"] for trace in traces] == ["each seed"] * 2
    assert [trace["showlegend"] for trace in traces] == [True, False]


@pytest.mark.slow
def test_retrains_and_sweeps_have_no_race_and_crashes_nothing_to_draw(study):
    assert figures(study, full("grid/retrain/0")).keys() == {"learning_curves"}
    assert figures(study, full(f"{EVIL}/sweep/lr")).keys() == {"learning_curves"}
    assert figures(study, full("broken")) == {}


@pytest.mark.slow
def test_what_is_written_already_is_not_written_again(study):
    before = {name: system_attributes(study, full(name)) for name in NAMES}
    train(study)
    assert {name: system_attributes(study, full(name)) for name in NAMES} == before
    assert before["grid/0"]["dashboard:note_ver"] == 1


@pytest.mark.slow
def test_a_run_that_ends_before_all_is_told_leaves_notes_as_they_are(study):
    class Impatient(Listener):
        def told(self, answer):
            raise KeyboardInterrupt

    before = note(study, full("grid/0"))
    with OptunaStudies(study.storage.optuna) as studies:
        followers = [StreamMirrors(studies), Annotations(study, studies), Impatient()]
        plan = Plan(study, RecordStore(study.storage.records), followers)
        with pytest.raises(KeyboardInterrupt):
            plan.advance()
        plan.listeners.closed()
    assert note(study, full("grid/0")) == before


@pytest.mark.slow
def test_notes_are_renewed_with_new_trials_and_keep_what_people_wrote(tmp_path):
    study = noted_study(tmp_path)
    train(study, packs=1)
    before = note(study, full("grid/0"))
    assert "**0 of 3 trials done" in before
    one = loaded(study, full("grid/0"))
    optuna_dashboard.save_note(one, before + "\n\nLook at trial 2!")
    other = loaded(study, full(EVIL))
    optuna_dashboard.save_note(other, "Mine from the start")
    train(study)
    assert note(study, full("grid/0")).endswith(MARK + "\n\nLook at trial 2!")
    assert "**3 of 3 trials done" in note(study, full("grid/0"))
    text = note(study, full(EVIL))
    assert "**2 of 2 trials done" in text
    assert text.endswith(MARK + "\n\nMine from the start")


@pytest.mark.slow
@pytest.mark.parametrize("package", ["optuna_dashboard", "plotly"])
def test_without_its_packages_a_run_writes_no_more_than_it_can(
    tmp_path, monkeypatch, package
):
    study = noted_study(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)
    train(study, packs=1)
    monkeypatch.undo()
    written = system_attributes(study, full("grid/0"))
    assert not any("plot_data" in key for key in written)
    assert ("dashboard:note_ver" in written) == (package == "plotly")


@pytest.mark.slow
def test_a_study_deleted_in_the_dashboard_stops_no_run(tmp_path):
    study = noted_study(tmp_path)
    with OptunaStudies(study.storage.optuna) as studies:
        listeners = [StreamMirrors(studies), Annotations(study, studies)]
        plan = Plan(study, RecordStore(study.storage.records), listeners)
        plan.advance()
        plan.listeners.changed(None)
        name = "tiny/iris_logreg/grid/0"
        optuna.delete_study(study_name=name, storage=study.storage.optuna)
        plan.listeners.closed()
    assert note(study, full("grid/1")).startswith("## grid on")


@pytest.mark.slow
def test_a_run_does_not_stop_for_notes_more_often_than_now_and_then(
    tmp_path, monkeypatch
):
    study = noted_study(tmp_path)
    with OptunaStudies(study.storage.optuna) as studies:
        for wait, there in [(annotations._SECONDS, False), (0.0, True)]:
            monkeypatch.setattr(annotations, "_SECONDS", wait)
            listeners = [StreamMirrors(studies), Annotations(study, studies)]
            plan = Plan(study, RecordStore(study.storage.records), listeners)
            plan.advance()
            plan.listeners.changed(None)
            assert (note(study, full("grid/0")) != "") == there


def test_attributes_written_at_once_are_those_that_optuna_reads(url):
    storage = open_storage(url, writing=True)
    study = optuna.create_study(storage=storage, study_name="one")
    other = optuna.create_study(storage=storage, study_name="other")
    study.set_user_attr("kept", [1, None])
    for value in ("before", {"é": 1.5}):  # the second replaces the first
        user, system = {"a": value, "b": None}, {"s": "x" * 2045, "t": value}
        set_study_attributes(storage, study._study_id, user, system)
    assert study.user_attrs == {"kept": [1, None], "a": {"é": 1.5}, "b": None}
    system = storage.get_study_system_attrs(study._study_id)
    assert system == {"s": "x" * 2045, "t": {"é": 1.5}}
    assert other.user_attrs == {}
    close_storage(storage)


@pytest.mark.slow
def test_a_note_that_gets_shorter_leaves_nothing_of_the_longer_one():
    long = annotated({}, "long " * 1000, {3: "first"}, {})
    short = annotated(long, "short", {3: "second"}, {})
    there = long | short
    text = "".join(there[f"dashboard:note_str:{n}"] for n in range(3))
    assert text == "short" + MARK
    assert there["dashboard:3:note_str:0"] == "first"  # people may have added to it


@pytest.mark.slow
def test_curves_and_the_report_can_be_opened_and_not_be_changed(
    study, results, tmp_path
):
    page = tmp_path / "index.html"
    records = RecordStore(study.storage.records, writable=False)
    store = RecordArtifacts(records, "tiny", page)
    trial = loaded(study, full("grid/0")).trials[0]
    [named] = [v for k, v in trial.system_attrs.items() if k.startswith("artifacts:")]
    meta = json.loads(named)
    assert meta["mimetype"] == "text/csv"
    csv = store.open_reader(meta["artifact_id"]).read().decode()
    curve = results.curves[results.curves["key"] == trial.user_attrs["record"]]
    assert len(csv.splitlines()) == 1 + len(curve)
    assert csv.startswith("step,samples,sample_gradients,")
    assert b"no report at" in store.open_reader(report_id("tiny")).read()
    page.write_text("<html>")
    with store.open_reader(report_id("tiny")) as opened:
        assert opened.read() == b"<html>"
    assert b"There is no record" in store.open_reader("0" * 32).read()
    for change in (
        lambda: store.remove("0" * 32),
        lambda: store.write("0", io.BytesIO()),
    ):
        with pytest.raises(io.UnsupportedOperation):
            change()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("<script>", r"\<script\>"),
        ("$x$ | `y`", r"\$x\$ \| \`y\`"),
        ("two\nlines", "two lines"),
        (r"back\slash", r"back\\slash"),
    ],
)
def test_text_is_escaped_for_markdown(text, shown):
    assert escaped(text) == shown
