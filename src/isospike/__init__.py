"""isospike: trained neural networks become spiking ones that keep their accuracy in few steps."""

from isospike.activations import ClipQuant as ClipQuant
from isospike.convert import Plan as Plan
from isospike.convert import convert as convert
from isospike.convert import plan as plan
from isospike.errors import ConversionError as ConversionError
from isospike.errors import DataError as DataError
from isospike.errors import FormatError as FormatError
from isospike.errors import IsospikeError as IsospikeError
from isospike.errors import UsageError as UsageError
from isospike.evaluate import evaluate as evaluate
from isospike.evaluation import Evaluation as Evaluation
from isospike.graph.pack import Packed as Packed
from isospike.measure.audit import audit as audit
from isospike.methods import names as recipes
from isospike.methods import recipe as recipe
from isospike.network import SpikingNetwork as SpikingNetwork
from isospike.recipe import Recipe as Recipe
from isospike.serialise import load as load
from isospike.train.prepare import prepare as prepare
from isospike.version import __version__ as __version__

__all__ = [
    "ClipQuant", "ConversionError", "DataError", "Evaluation", "FormatError", "IsospikeError",
    "Packed", "Plan", "Recipe", "SpikingNetwork", "UsageError", "__version__", "audit", "convert",
    "evaluate", "load", "plan", "prepare", "recipe", "recipes",
]  # fmt: skip
