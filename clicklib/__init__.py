"""Goka's User Clicks in Python: emitter, processor and view on a real Apache Kafka.

    from clicklib import Emitter, Input, Persist, Processor, View, broker, define_group

Every public name can be imported from here, and is loaded when it is asked for. `__init__.pyi`
beside this file lists the names by the module that holds them. Widgets are in `clicklib.widgets`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
