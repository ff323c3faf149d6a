"""What do broken files, strangers' servers and kills do to a run? Each kind of attack, tried and survived.

    python benchmarks/attack.py [KIND ...] [--seed 0] [--share 1.0]

Every attack is made by seeded mutation of what the product itself writes or reads. Survived means: recovered, or told
in one sentence that names what is wrong; never a traceback, a hang, too much memory, or a wrong result in silence.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import pkgutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import attacks

KINDS = sorted(
    module.name for module in pkgutil.iter_modules(attacks.__path__) if module.name not in ("mutation", "project")
)


def main() -> None:
    """Attack, and print a table; the exit code is 1 if anything was not survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"default: all of {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of each kind's attacks, such as 0.1")
    given = parser.parse_args()
    if unknown := set(given.kinds) - set(KINDS):
        parser.error(f"no attacks of the kind {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    # What is recovered is logged, hundreds of times.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    failures = []
    print("| attack | tried | survived | longest (s) | all (s) |\n|---|---|---|---|---|")
    for kind in given.kinds or KINDS:
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            tally = importlib.import_module(f"attacks.{kind}").attack(Path(folder), given.seed, given.share)
        took = time.perf_counter() - started
        print(f"| {tally.kind} | {tally.tried} | {tally.survived} | {tally.seconds:.1f} | {took:.0f} |", flush=True)
        failures += [f"{tally.kind}: {line}" for line in tally.failures]
    print(*["", *failures], sep="\n", file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
