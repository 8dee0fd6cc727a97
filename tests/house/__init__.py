"""The laws of the house, one small function each; `tests/test_house.py` applies them."""
