"""What combines several rooms: audits, cross-play, the probe, talk, the demo, and the long studies."""
