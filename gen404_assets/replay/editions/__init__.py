"""Other editions of the rules, derived again: a module an edition, and what they share."""
