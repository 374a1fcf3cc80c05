"""Kinds of sentences that have a number in the answer of a page; see `pattern`."""

GOAL = r"accuracy ≥ <exact:target_of_workload>"
SO_FAR = "(?: so far)?"
SENTENCES = (
    rf".*: no arm met {GOAL}{SO_FAR} in <count:trials> trials?"
    r"(?:; <arm:best> came closest, with <decimals:best_metric_of_best> on average)?\.",
    rf".*: <count:tied> arms have the least bill{SO_FAR}, <bill:leader> until {GOAL}:"
    r" <arms>\.",
    rf".*: <arm:leader> alone met the target{SO_FAR}, for <bill:leader> until {GOAL}\.",
    rf".*: <arm:leader> has the least bill{SO_FAR}, <bill:leader> until {GOAL}, but"
    r" (?:<arms> may be cheaper|which of <count:candidates> arms is cheapest is open)"
    r"\.",
    rf".*: <arm:leader> is (?:cheapest|ahead so far): <bill:leader> until {GOAL}"
    r"(?:; no other arm met the target)?\.",
    rf".*: <arm:leader>, the only arm of this study, reaches {GOAL} for <bill:leader>"
    r"\.",
    r"<passes:leader>(?: of <arm:leader>)? met it"
    r"(?:, <chance:leader>|, too few [^\d]*)?\.",
    r"The cheapest (?:tuned arm|arm without tuning),(?: the reference)? <arm:x>, costs"
    r" (?:<times:tuned>, its tuning counted|<times:untuned>)"
    r"(?:, but may turn out cheaper)?(?:: <bill:x>; <passes:x> met it)?\.",
    r"The reference <arms> costs <times:reference>\.",
    r"Next is <arms>, which costs <times:next>\.",
    r"Unfinished: <count:trials> of <count:planned> trials are done; the results of"
    r" (?:<arms>|<count:unfinished> arms) can still change\.",
    r"Tuning <arms> pays against <arms> after about <up:runs_of_pair> further"
    r" trainings? with what it found"
    r"(?:, after <up:runs_full_plan_of_pair> if its whole plan is run)?\.",
    r"If tuning <arms> stopped trials that miss after <percent:fraction_of_pair> % of"
    r" what they cost, it would cost as much as <arms>\.",
    r"With <count:workers_of_pair> trials at once <arms> meets the target sooner than"
    r" <arms>; that is time, not cost\.",
    rf"<count:missed> of <count:arms> arms? never met the target{SO_FAR} and so"
    r" (?:has|have) no bill: <arms>\.",
    r"Choosing the settings of <arm:x> had cost <digits:calibration_of_x> sample"
    r" gradients, in no bill(?:; [^\d]*)?\.",
    r"The least of <count:met> bills is least in part by luck: expect <arms> to cost"
    r" rather more the next time\.",
    r"To tell <arms> from <arms>, if their bills differ as they seem to, would take"
    r" about <digits:challenger_seeds> seeds of each\.",
    r"Over <count:workloads_of_x> workloads? <arm:x> does best(?: so far)?: score"
    r" <decimals:score_of_x> of 1, <count:solved_of_x> of \d+ targets met"
    r"(?:, bills <digits:mean_ratio_of_x> times those of <arms> in the geometric mean"
    r" of <count:in_how_many_of_x>)?(?:; <arms> do(?:es)? as well)?\.",
    r"The best [a-z ]+ is <arm:x> with <decimals:score_of_x> \(<count:solved_of_x> of"
    r" <count:workloads_of_x> targets met\)(?:, bills <digits:mean_ratio_of_x> times"
    r" those of <arms> in the geometric mean of <count:in_how_many_of_x>)?\.",
)
"""Kinds of sentences that have a number; see `claims.pattern`."""

LISTS = (
    (
        r"May be cheaper: (.*)\.",
        "; ",
        r"<arm:x>, <bill:x>, <passes:x>(?:, <chance:x>)?",
    ),
    (
        r"Diverged or crashed: <count:failures> of <count:trials> trials?, of"
        r" <count:failing> arms, most often (.*)\.",
        ", | and ",
        r"<arm:x> \(<count:failures_of_x> of <count:trials_of_x>\)",
    ),
    (
        r"Diverged or crashed: (.*)\.",
        ", | and ",
        r"<count:failures_of_x> of <count:trials_of_x> trials? of <arm:x>",
    ),
    (
        r"Trials before this study, in no bill: (.*)\.",
        ", | and ",
        r"(?:<count:defaults_trials_of_x> for the defaults|"
        r"<count:space_trials_of_x> for the search space) of <arm:x>",
    ),
    (
        r"Next by score: (.*)\.",
        r"(?<=\)), |(?<=\)) and ",
        r"<arm:x> <decimals:score_of_x> \(<count:solved_of_x> of <count:workloads_of_x>"
        r" targets met\)",
    ),
    (
        r"Half of the seeds or more meet the target over so many decades of learning"
        r" rates, of those tried, <digits:tested_low_of_lr> to"
        r" <digits:tested_high_of_lr>: (.*)\.",
        ", | and ",
        r"(?:at least )?<digits:hit_decades_of_x> with <arm:x>",
    ),
)
"""Kinds of sentences that list some: the whole, what parts it, one part."""

COLUMNS = (
    "[^0-9]*",
    r"<digits:bill_of_leader>"
    r"(?: \[<digits:bill_low_of_leader>, <digits:bill_high_of_leader>\])?",
    "<count:candidates> of <count:arms>",
    "[^0-9]*",
    r"<digits:tuned_ratio>\u00d7(?: \[<digits:tuned_low>, <digits:tuned_high>\])?",
    "<up:runs_of_pair>",
)
"""Cells of the table of workloads, after the workload's name."""
