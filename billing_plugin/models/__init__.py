"""Nouns: the tables, and the questions asked of them. The only room that speaks SQL."""
