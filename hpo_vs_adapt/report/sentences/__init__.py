"""What a report says: verdicts, answers, doubts."""
