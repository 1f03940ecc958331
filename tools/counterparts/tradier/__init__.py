"""A Tradier server over the paper venue's exchange: REST with its collapsed JSON, XML and plain text errors."""
