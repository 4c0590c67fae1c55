"""Power where there is no meter: the model of this machine, and which components it fills in."""
