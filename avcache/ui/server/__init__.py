"""What the page Server shows: health, figures, findings, slow commands, outages, settings. Pure."""
