"""What ``make_downloads.py`` makes a book with: plain pages, styles, a font."""
