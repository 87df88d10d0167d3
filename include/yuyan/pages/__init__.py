"""What people look at: rule directory, indicator dictionary, feedback to universities. Static pages, workbooks, CSV."""
