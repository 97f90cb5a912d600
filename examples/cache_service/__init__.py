"""A cache that Redis clients talk to: a supervised application with a durable store."""
