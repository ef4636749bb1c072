"""Measures Cloudlet against other local servers of the AWS APIs, all in one run on one machine."""
