"""Test reports that run for real: one TABLE of them.

A report builds machines of its own, does what its source did, measures, and judges
every row. It is not a benchmark: all its figures are counts of pages and virtual
time, so that the same seed gives the same report.
"""

from __future__ import annotations

from collections.abc import Mapping

# name: (module, what `memfs report --help` says of it). A module has
# ``run(progress, mount) -> Report`` and ``show(report, console)``.
REPORTS: Mapping[str, tuple[str, str]] = {
    "2003": (
        "memfs.reports.report2003",
        "releasing pages by kswapd: its rows, and its five changes one by one",
    ),
    "2004": (
        "memfs.reports.report2004",
        "moving pages: today's ways beside those of 2004, for each kind of page",
    ),
}
