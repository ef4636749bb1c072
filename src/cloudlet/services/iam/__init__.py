"""IAM and STS: accounts, identities, policies, credentials, and the decision who may do what."""

from cloudlet.services.iam.service import IAM

__all__ = ["IAM"]
