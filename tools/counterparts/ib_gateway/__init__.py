"""An IB Gateway over the paper venue's exchange: the framed socket protocol of server version 176."""
