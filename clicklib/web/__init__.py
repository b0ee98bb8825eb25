"""The web endpoint over a view."""

from clicklib.web.endpoint import Endpoint

__all__ = ["Endpoint"]
