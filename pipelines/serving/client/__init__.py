"""Asks a server for predictions, and asks again when that may help.

A server may load another version at any moment, with other classes. So every answer is
read with the names of the version that gave it, and never with those of another.
"""

from pipelines.serving.client.grpc import GrpcClient
from pipelines.serving.client.rest import RestClient
from pipelines.serving.client.versions import ServerError

__all__ = ["GrpcClient", "RestClient", "ServerError"]
