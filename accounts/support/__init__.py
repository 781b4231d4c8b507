"""Temporary support access: requests, decisions, grants, sessions through the broker, their proven end, receipts."""
