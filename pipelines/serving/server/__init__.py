"""A server with the REST and gRPC interfaces of TensorFlow Serving."""
