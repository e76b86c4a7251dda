"""What a file or a page says, as text: judged by its content, decoded, and taken out of HTML, PDF and DOCX."""
