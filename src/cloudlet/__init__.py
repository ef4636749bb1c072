"""Cloudlet: applications made of functions, containers and managed services, on one machine, over the AWS APIs."""

__version__ = "0.1.0"
