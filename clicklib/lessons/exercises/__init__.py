"""The exercises of the notebooks: one module for each notebook.

Each exercise has its hints, its solution and the function that judges answers. The first argument
of this function has the name that the learner gives a value to; the others are what the notebook's
experiment found.
"""

import importlib
import pkgutil

__all__ = ["load"]


def load() -> None:
    """Import all modules of this folder, so that each exercise can be found by its key."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
