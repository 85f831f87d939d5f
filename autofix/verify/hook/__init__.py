"""What is put on PYTHONPATH while the user's own command runs. Standard library only, Python 3.8
or newer; nothing here is imported by autofix itself."""
