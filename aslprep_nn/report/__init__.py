"""What people look at: numbers of quality, figures, pages."""
