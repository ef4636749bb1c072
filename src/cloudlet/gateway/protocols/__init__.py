"""One module per wire protocol of AWS."""
