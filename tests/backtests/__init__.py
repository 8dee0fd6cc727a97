"""Forecasts and alarms against what then happened, one module each."""
