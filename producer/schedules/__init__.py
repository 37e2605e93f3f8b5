"""Schedules: campaigns that are submitted by the clock, each due moment once, whoever dies when."""
