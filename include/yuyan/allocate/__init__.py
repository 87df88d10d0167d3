"""From indicators to money: scores, grants, how sure they are, who is efficient, and what a moved quota would do."""
