"""First line of a recorded result: versions, command, date."""

import platform
import time
from importlib.metadata import PackageNotFoundError, version

import leakage


def stamp(script: str, packages: list[str]) -> str:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return (
        f"# leakage {leakage.__version__}, Python {platform.python_version()}, {', '.join(found)}; "
        f"python benchmarks/{script}; {time.strftime('%Y-%m-%d')}\n"
    )
