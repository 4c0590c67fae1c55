"""Readers of bills: FOCUS, AWS CUR 2.0, a price list of one's own, or a sum that is known."""
