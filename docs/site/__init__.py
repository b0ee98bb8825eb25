"""The notebooks as pages to read: executed, with what they show, for a browser without Jupyter."""
