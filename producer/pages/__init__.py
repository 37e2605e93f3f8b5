"""The pages: the factory's face for people. Served by the app of the API, on its ledger, roles and rules."""
