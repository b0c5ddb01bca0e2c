"""The parts of the HTML report: a module computes what a section shows, a template shows it."""
