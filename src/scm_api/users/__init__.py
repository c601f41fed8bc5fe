"""People: accounts, memberships, invitations, sessions and second factors."""
