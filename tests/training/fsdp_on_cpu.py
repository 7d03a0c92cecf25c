"""`equipoise` with accelerate's FSDP on the CPU, where accelerate leaves it out and torch does not."""

import sys
from typing import Any

from accelerate import state
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

_made = state.AcceleratorState.__init__


def _divided(self: Any, *given: Any, **named: Any) -> None:
    _made(self, *given, **named)
    shared = state.AcceleratorState._shared_state
    if not shared.get("fsdp_plugin"):
        plugin = named.get("fsdp_plugin") or FullyShardedDataParallelPlugin()
        shared.update(distributed_type=DistributedType.FSDP, fsdp_plugin=plugin)


if __name__ == "__main__":
    state.AcceleratorState.__init__ = _divided
    from equipoise.cli.main import main

    sys.exit(main())
