"""Everything between a user's data and a Panel."""
