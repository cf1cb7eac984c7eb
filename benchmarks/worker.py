"""A fresh process that does one contender's job: ``python -m benchmarks.worker MODULE:FUNCTION REQUEST RESULT``."""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.work import Work


def measure(work: Work) -> dict[str, Any]:
    """Warm up, then time."""
    started = time.perf_counter()
    work.warm_up()
    warm_up = time.perf_counter() - started
    gc.collect()
    result, seconds, measured = None, [], 0.0
    for _ in range(work.times):
        del result
        started = time.perf_counter()
        result = work.act()
        elapsed = time.perf_counter() - started
        measured += elapsed
        seconds.append(elapsed if work.seconds is None else work.seconds(result, elapsed))
    return {
        "seconds": seconds,
        "measured": measured,
        "warm_up": warm_up,
        "peak_bytes": peak_bytes(),
        "check": None if work.check is None else work.check(result),
        "quality": {} if work.quality is None else work.quality(result),
    }


def peak_bytes() -> int:
    """The most memory that this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main(call: str, request: str, result: str) -> None:
    """Write what the function gives, measured where it is work, to the file `result`."""
    module, _, function = call.partition(":")
    try:
        made = getattr(import_module(f"benchmarks.{module}"), function)(json.loads(request))
        answer = measure(made) if isinstance(made, Work) else made
    except ImportError as error:
        answer = {"error": f"not installed: {error}"}
    Path(result).write_text(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
