"""Brokers on loopback for tests, campaigns and benchmarks: one exchange, the paper venue's, behind several protocols."""
