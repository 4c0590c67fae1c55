"""``python -m wattribute_testing.plant``: the plant in a process of its own."""

import sys

from wattribute_testing.plant.process import main

sys.exit(main(sys.argv[1:]))
