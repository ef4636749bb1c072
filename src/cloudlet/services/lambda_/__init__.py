"""AWS Lambda: functions, their versions, their invocation, and the event sources that they read from."""

from cloudlet.services.lambda_.service import Lambda

__all__ = ["Lambda"]
