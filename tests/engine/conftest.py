import pytest

from isospike.engine import native


@pytest.fixture(scope="module", params=["native", "torch"])
def kernels(request):
    """Every test of the module with the native kernels and without."""
    if request.param == "native" and native.kernels is None:
        pytest.skip("no compiler: no native kernels")
    before, native.ENABLED = native.ENABLED, request.param == "native"
    yield
    native.ENABLED = before
