"""Brokers on loopback for tests, campaigns and benchmarks: the paper venue's exchange behind several protocols."""
