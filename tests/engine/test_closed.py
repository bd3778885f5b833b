"""One pass in place of all steps: the codes and spikes that the pipeline would have sent."""

import pytest
import torch
from common.nets import Builder, graphs, images, network, program
from engine.test_dense import same
from hypothesis import given
from hypothesis import strategies as st

from isospike.engine.closed import run_closed
from isospike.engine.steploop import run_steploop
from isospike.errors import UsageError
from isospike.schedule import Separated

SCHEDULES = [Separated(k, extra) for k in (1.0, 2.0) for extra in (0, 1)]
