"""The worker: a door of its own that runs jobs and keeps the schedule (`python -m worker`)."""
