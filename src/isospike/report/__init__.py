"""What was measured, as something to read: one self-contained HTML page."""
