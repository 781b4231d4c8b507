"""The security package: what a customer's reviewers ask for, made from the kits, the settings and the code's own constants."""
