"""The tests: they mirror the source, and `test_house.py` watches over its laws."""
