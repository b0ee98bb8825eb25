"""The look of the plots in the notebooks."""

from __future__ import annotations

import sys

__all__ = ["use_plot_theme"]


def use_plot_theme() -> None:
    """Give plots of plotly.express colours that can be read on a light and on a dark page.

    It does nothing in a notebook that has not imported plotly.express.
    """
    express = sys.modules.get("plotly.express")
    if express is None:
        return
    clear, grey = "rgba(0,0,0,0)", "#767676"
    axis = {"gridcolor": "rgba(118,118,118,0.3)", "zerolinecolor": grey}
    layout = {"paper_bgcolor": clear, "plot_bgcolor": clear, "font": {"color": grey}}
    colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"]
    layout |= {"xaxis": axis, "yaxis": axis, "colorway": colours}
    express.defaults.template, express.defaults.height = {"layout": layout}, 340
