"""Bills x energy -> allocated charges: who pays which part of an invoice, to the cent."""
