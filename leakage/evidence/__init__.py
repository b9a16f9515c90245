"""What turns a number into evidence: splits, permutations, intervals, multiple testing."""
