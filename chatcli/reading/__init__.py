"""Reads a file or a page as text: its kind judged by its content, decoded, and extracted from HTML, PDF
and DOCX.
"""
