"""What reads the machine and the chip in the background: one file per source."""
