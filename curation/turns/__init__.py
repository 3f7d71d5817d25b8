"""Who speaks when: roles, marks, order, exchanges, prose, control tokens."""
