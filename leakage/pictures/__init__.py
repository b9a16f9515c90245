"""Pictures: photographs, folders, data sets and generated scenes, read without changing them."""
