"""From energy to money and carbon: the ledger, bills, statements and their pages."""
