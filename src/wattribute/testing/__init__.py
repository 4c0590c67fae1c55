"""Fakes for tests, ours and our users': public, typed, versioned like the rest."""
