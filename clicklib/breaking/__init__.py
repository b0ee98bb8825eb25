"""Breaks real parts on purpose, as production does, so that a reader sees what Kafka makes of it.

    processor = BreakableProcessor(cluster, stream, group).wait_running()
    BreakingPanel(processor, three, ledger=ledger)   buttons that break it, and the brokers

A fault harms only programs that this kernel has started and brokers of the local Kafka. It ends by
itself after some seconds, or at a press; it ends when the panel is closed; and it ends when the
kernel ends, however that ends. A program can break parts as well:

    processor.suspend()   also stop, kill, cut, freeze, slow, delay, slow_callback, fill_disk
    processor.heal()      ends every fault, and starts the processor again if it has ended
    panel.press("kill")   as the button does: bounded, and marked on the ledger

The modules: `faults` says what a button does; `processor` and `brokers` are what can be harmed;
`proxy` stands before a broker, and its connections can be made to fail; `panel` draws the buttons.
"""

from clicklib.errors import needing

with needing("clicklib.breaking"):
    from clicklib.breaking.panel import BreakingPanel
    from clicklib.breaking.processor import BreakableProcessor

__all__ = ["BreakableProcessor", "BreakingPanel"]
