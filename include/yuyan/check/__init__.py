"""What a data engineer asks before an institution is collected: is it reached, what has it, what would become of it."""
