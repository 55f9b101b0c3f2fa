"""From symptoms to causes: reads measurements and the machine, weighs the evidence of each cause, and says why."""
