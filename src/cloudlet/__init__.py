"""Cloudlet: applications made of functions, containers and managed services, on one machine, over the AWS APIs."""

from importlib.metadata import version

__version__ = version("cloudlet")
