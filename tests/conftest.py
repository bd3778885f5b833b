"""Settings that every test shares."""

from hypothesis import settings

# The same examples in every run: a failure that one run shows, the next one shows as well.
settings.register_profile("laws", derandomize=True, max_examples=40, deadline=None, database=None)
settings.load_profile("laws")


def pytest_terminal_summary(terminalreporter) -> None:
    """How many tests are expected to fail: the last line of every run."""
    found = [len(terminalreporter.stats.get(kind, ())) for kind in ("xfailed", "xpassed")]
    terminalreporter.write_line(f"xfails: {sum(found)}")
