"""The portal as an OpenID Connect issuer: customers' clouds trust its short-lived tokens (DESIGN 4)."""
