"""The version of the installed package: that of `pyproject.toml`, the one place that names it."""

from importlib.metadata import PackageNotFoundError, version

__version__: str

try:
    __version__ = version("trio-otp")
except PackageNotFoundError:  # the sources are on the path, and nothing is installed
    __version__ = "0+unknown"
