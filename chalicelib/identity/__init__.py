"""Who calls: access tokens of any OpenID Connect issuer, verified."""
