"""Webhooks: signing what happened and sending it to where tenants want to be told."""
