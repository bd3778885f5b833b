"""Settings that every test shares."""

from hypothesis import settings

# The same examples in every run: a failure that one run shows, the next one shows as well.
settings.register_profile("laws", derandomize=True, max_examples=40, deadline=None, database=None)
settings.load_profile("laws")
